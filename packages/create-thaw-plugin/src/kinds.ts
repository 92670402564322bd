/** What a kind of plugin adds to the common template. */
export interface KindParts {
  /** For `--help`. */
  readonly summary: string;
  /** Its line under the imports of the plugin's `index.ts`. */
  readonly importLine?: string;
  /** Its line in the definition, behind the options. */
  readonly definitionLine?: string;
  /** Its line at the top of `apply`. */
  readonly applyLine?: string;
  /** Packages of Thaw that it imports beside core. */
  readonly packages?: readonly string[];
  /** What a config writes to use it, in YAML. */
  readonly config: string;
}

const provided = (key: string, name: string): Pick<KindParts, "importLine" | "definitionLine"> => ({
  importLine: `import { ${name} } from "./${name}.js";`,
  definitionLine: `  provides: { ${key}: [${name}] },`,
});

/** Every kind, by its word after `--kind`. */
export const KIND_PARTS = {
  hooks: {
    summary: "nothing beside a hook: enough for most",
    config: "",
  },
  rule: {
    summary: "a check of a plan, reported with file and line",
    importLine: 'import { rule } from "./rule.js";',
    applyLine: "    trainer.hooks.rules.tap(PLUGIN_NAME, (collector) => collector.add(rule));",
    config: "checks: { rules: { my-plugin-high-rate: warning } } # or error, or off\n",
  },
  family: {
    ...provided("families", "family"),
    summary: "a model family: checkpoints of a model_type",
    packages: ["@thaw/models"],
    config: "model: ./checkpoint # its config.json says my_plugin\n",
  },
  format: {
    ...provided("formats", "format"),
    summary: "a dataset format",
    config: "data: { train: { type: my-plugin, path: ./pairs.tsv } }\n",
  },
  metric: {
    ...provided("metrics", "metric"),
    summary: "a metric of evaluations",
    config: "data: { metrics: [{ type: my-plugin, words: 2 }] }\n",
  },
  tracker: {
    ...provided("trackers", "tracker"),
    summary: "a tracker, told of everything in a run",
    config: "trackers: [{ type: my-plugin, every: 10 }]\n",
  },
  optimizer: {
    ...provided("optimizers", "optimizer"),
    summary: "an optimizer",
    config: "training: { optimizer: { type: my-plugin, momentum: 0.9 }, learning_rate: 1e-5 }\n",
  },
  command: {
    ...provided("commands", "command"),
    summary: "a command of thaw",
    config: "",
  },
} as const satisfies Readonly<Record<string, KindParts>>;
