import { basename, dirname, resolve } from "node:path";
import type { Finding, Plugin, Setting, StandardSchema } from "@thaw/core";
import { CORE_PROVIDER, cutFinding, Registry } from "@thaw/core";
import { configsBeside, discoverConfig } from "../reading/discover.js";
import { finding } from "../checking/issues.js";
import { locateNearest, type Layer } from "../reading/layer.js";
import { overrideLayer, programLayer } from "../reading/overrides.js";
import { type CodeOptions, pluginLists, pluginsOf, savedLayers, savedOverrideLayers, trustedPaths } from "./code.js";
import { resolvePaths } from "./paths.js";
import { namedPlugins, providerOf, type NamedPlugin } from "./plugins.js";
import { readLayers, type ReadOptions } from "../reading/read-layers.js";
import type { TrustedCode } from "../reading/trust.js";
import { savedConfig, savedSettings } from "../reading/saved.js";
import type { ResolvedValues } from "../checking/schema.js";
import type { Shape } from "../checking/shape.js";
import { joinStageFindings, splitStages, type StageLayers, type StagePlace } from "./stages.js";
import { mergeTrees, plainValue, readTree, toSettings, withoutNode, type ConfigNode } from "../words/tree.js";
import { configShape, validate } from "../checking/validate.js";

/** Where a config comes from and what it must say. */
export interface ResolveOptions extends CodeOptions {
  /** A file or folder; without it cosmiconfig searches. `null`: no file at all, only `values` and `overrides`. */
  readonly config?: string | null;
  /** `a.b=c` texts; they win. */
  readonly overrides?: readonly string[];
  /** Values of a program, on top of the file. */
  readonly values?: unknown;
  /** Schemas of the host's own top-level sections, e.g. `data`, made of what plugins provide. */
  readonly sections?: (registry: Registry) => Readonly<Record<string, StandardSchema>>;
  /** What must be there: `plan` and `check` need the model alone. */
  readonly requires?: "nothing" | "model" | "training";
}

/**
 * A config, read and validated. Where `findings` holds an error, `values` holds what is valid, with defaults for the
 * rest.
 */
export interface ResolvedConfig {
  readonly file?: string;
  readonly folder: string;
  readonly values: ResolvedValues;
  /** The host's sections, defaults filled in; without those that are invalid. */
  readonly sections: Readonly<Record<string, unknown>>;
  /** Every setting that a user or a preset gave. */
  readonly settings: readonly Setting[];
  /** What files or presets said and a later one replaced. */
  readonly replaced: readonly Setting[];
  /** Every value that a schema filled in, paths in camelCase. */
  readonly defaults: readonly Setting[];
  readonly findings: readonly Finding[];
  /** True where an error leaves open what is to be trained: nothing can be planned. */
  readonly isPlannable: boolean;
  /** In the order given, built-in ones first; without those whose section is invalid. */
  readonly plugins: readonly Plugin[];
  /** All plugins that were found, for schemas and messages. */
  readonly named: readonly NamedPlugin[];
  /** What these plugins provide. */
  readonly registry: Registry;
  /** What it loads as code, by name and path. */
  readonly code: TrustedCode;
  /**
   * A config that means the same wherever it lies: absolute paths, defaults filled in, with the settings' origins. JSON
   * values.
   */
  readonly saved: Readonly<Record<string, unknown>>;
  /**
   * In order; empty where the config is one run. Then everything above is what all stages share, with the findings of
   * all.
   */
  readonly stages: readonly ResolvedStage[];
}

/** One stage of a config. */
export interface ResolvedStage extends StagePlace {
  /** The whole config of the stage, itself without stages. */
  readonly config: ResolvedConfig;
}

/**
 * Finds a config, reads it with all that it extends, and validates it strictly. What is wrong in the values is returned
 * as findings, all at once. `@throws THAW_CONFIG_*` for files that cannot be found or loaded, `THAW_PLUGIN_*` and
 * `THAW_PRESET_*` for packages, THAW_CONFIG_UNTRUSTED for code that data names.
 */
export async function resolveConfig(options: ResolveOptions): Promise<ResolvedConfig> {
  const file = options.config === null ? undefined : await discoverConfig(options.folder, options.config);
  const reading: ReadOptions = {
    folder: options.folder,
    ...(options.alias === undefined ? {} : { alias: options.alias }),
    isData: options.isData === true,
    trustsAll: options.trust === "all",
  };
  const read = file === undefined ? { layers: savedLayers(options), findings: [] } : await readLayers(file, reading);
  const onTop: readonly Layer[] = [
    ...(options.values === undefined ? [] : [programLayer(options.values, options.folder)]),
    ...savedOverrideLayers(options),
    ...(options.overrides === undefined || options.overrides.length === 0
      ? []
      : [overrideLayer(options.overrides, options.folder)]),
  ];
  const findings: Finding[] = [...read.findings, ...(await unreadConfigs(file, options))];
  const split = await splitStages(read.layers, onTop, reading, findings);
  const named = await pluginsOf(split.base, options);
  const context = { options, file, named, registry: new Registry([CORE_PROVIDER, ...named.map(providerOf)]) };
  const requires = options.requires ?? "model";
  if (split.stages.length === 0) return resolveLayers(split.base, { ...context, requires, findings });
  // What all stages share need not be a whole run; what is wrong with it is wrong with every stage.
  const base = await resolveLayers(split.base, { ...context, requires: "nothing", findings: [] });
  const stages: ResolvedStage[] = [];
  for (const stage of split.stages) {
    const config = await resolveLayers(stage.layers, { ...context, requires, findings: [], stage: stage.name });
    stages.push({
      name: stage.name,
      index: stage.index,
      own: config.settings.flatMap((setting) => ownPlace(setting, stage.own, base.settings)),
      config,
    });
  }
  const joined = joinStageFindings(stages.map((stage) => ({ stage, findings: stage.config.findings })));
  return {
    ...base,
    findings: [...findings, ...joined].map(cutFinding),
    isPlannable: stages.every(({ config }) => config.isPlannable) && findings.length === 0,
    stages,
  };
}

/** Says of configs that lie beside the one that discovery took that they are not read. */
async function unreadConfigs(
  file: string | undefined,
  { folder, config }: ResolveOptions,
): Promise<readonly Finding[]> {
  const isFound = file !== undefined && (typeof config !== "string" || resolve(folder, config) !== file);
  const beside = isFound ? await configsBeside(file) : [];
  if (beside.length === 0) return [];
  return [
    {
      rule: "config",
      severity: "warning",
      message: `${basename(file!)} is read; ${beside.join(", ")} beside it ${beside.length === 1 ? "is" : "are"} not.`,
      fix: "Keep one of them, or give the name of the one that is meant.",
      settings: [{ path: "", value: undefined, origin: "explicit", file: file! }],
    },
  ];
}

/** Where a setting stands that only the stage's own parts can have given. */
function ownPlace(setting: Setting, own: StageLayers["own"], shared: readonly Setting[]): StagePlace["own"] {
  if (shared.some((one) => one.file === setting.file && one.line === setting.line && one.path === setting.path))
    return [];
  const part = own.find(
    ({ layer }) =>
      layer.file === setting.file &&
      setting.line !== undefined &&
      locateNearest(layer, setting.path.split("."), "key")?.line === setting.line,
  );
  return part === undefined ? [] : [{ setting, prefix: part.prefix }];
}

interface ResolveContext {
  readonly options: ResolveOptions;
  readonly file: string | undefined;
  readonly named: readonly NamedPlugin[];
  readonly registry: Registry;
  readonly requires: "nothing" | "model" | "training";
  readonly findings: Finding[];
  readonly stage?: string;
}

async function resolveLayers(
  layers: readonly Layer[],
  { options, file, named, registry, requires, findings, stage }: ResolveContext,
): Promise<ResolvedConfig> {
  const hosts = options.sections?.(registry) ?? {};
  const { root, trees } = mergedTree(layers, configShape(hosts, named, registry), findings);
  const settings = savedSettings(
    root,
    toSettings(["extends", "$schema", "$saved"].reduce((tree, key) => withoutNode(tree, [key]), root)),
    trees,
  );
  const paths = await trustedPaths(root, options.trust);
  const folder = file === undefined ? options.folder : dirname(file);
  const checked = validate(root, { hosts, named, registry, settings, trustsAll: options.trust === "all" }, findings);
  // The default of `output` was written by nobody: it starts from the config's folder.
  const result = { ...checked, values: { ...checked.values, output: resolve(folder, checked.values.output) } };
  // What stands in a file that cannot be read is not missing.
  if (!layers.some(({ isBroken }) => isBroken === true)) requirements(root, requires, findings);
  return {
    ...(file === undefined ? {} : { file }),
    folder,
    ...result,
    settings,
    replaced: replacedSettings(trees, settings),
    findings: findings.map(cutFinding),
    isPlannable: !findings.some((entry) => entry.severity === "error" && blocksPlanning(entry)),
    named,
    registry,
    code: { plugins: namedPlugins(pluginLists(layers)), paths },
    saved: savedConfig(root, result, {
      settings,
      ...(file === undefined ? {} : { file }),
      ...(stage === undefined ? {} : { stage }),
      overrides: [...(options.savedOverrides ?? []), ...(options.overrides ?? [])],
    }),
    stages: [],
  };
}

/** The layers' values on top of each other, and each layer's alone. */
function mergedTree(
  layers: readonly Layer[],
  shape: Shape,
  findings: Finding[],
): { readonly root: ConfigNode; readonly trees: readonly ConfigNode[] } {
  const empty: ConfigNode = {
    kind: "map",
    children: new Map(),
    layer: layers.at(-1) ?? programLayer({}, "."),
    path: [],
    shape,
  };
  let root = empty;
  const trees: ConfigNode[] = [];
  for (const layer of layers) {
    if (layer.value === undefined || layer.value === null) continue;
    const tree = readTree(layer, layer.value, shape, (entry) => findings.push(entry));
    if (tree.kind !== "map")
      findings.push(
        finding(
          tree,
          `A config is a mapping, but ${layer.label} holds ` +
            `${tree.kind === "list" ? "a list" : JSON.stringify(tree.value)}.`,
          "Write keys such as model: ./checkpoint.",
        ),
      );
    else {
      trees.push(tree);
      root = mergeTrees(root, tree) ?? empty;
    }
  }
  return { root: resolvePaths(root), trees };
}

/** Settings of layers below that a later layer replaced or removed, in the order of the layers. */
function replacedSettings(trees: readonly ConfigNode[], settings: readonly Setting[]): readonly Setting[] {
  const place = ({ path, file, line, origin }: Setting): string => JSON.stringify([path, file, line, origin]);
  const kept = new Set(settings.map(place));
  return trees
    .flatMap((tree) =>
      toSettings(["extends", "$schema", "$saved", "plugins"].reduce((node, key) => withoutNode(node, [key]), tree)),
    )
    .filter((setting) => !kept.has(place(setting)));
}

function requirements(root: ConfigNode, requires: "nothing" | "model" | "training", findings: Finding[]): void {
  const value = plainValue(root) as {
    model?: unknown;
    data?: { train?: unknown };
    training?: { epochs?: unknown; maxSteps?: unknown };
  };
  const missing = (what: string, path: string, fix: string): void => {
    findings.push({
      rule: "config",
      severity: "error",
      message: `${what} (${root.layer.label}).`,
      fix,
      settings: [
        {
          path,
          value: undefined,
          origin: "default",
          ...(root.layer.file === undefined ? {} : { file: root.layer.file }),
        },
      ],
    });
  };
  if (requires === "nothing") return;
  if (value.model === undefined)
    missing("model is missing", "model", "Add model: ./path/to/checkpoint, a Hugging Face checkpoint folder.");
  if (requires === "model") return;
  if (value.data?.train === undefined)
    missing("data.train is missing", "data.train", "Add data: { train: iconify:noto }, or the path of a JSONL file.");
  if (value.training?.epochs === undefined && value.training?.maxSteps === undefined)
    missing(
      "The run has no end: training.epochs and training.max_steps are both missing",
      "training.epochs",
      "Add training: { epochs: 1 }.",
    );
}

/** Errors elsewhere (data, output, rates) leave the plan as it is. */
function blocksPlanning(entry: Finding): boolean {
  const top = entry.settings[0]?.path.split(".")[0] ?? "";
  const isData =
    ["data", "output", "seed", "runName", "run_name"].includes(top) ||
    (top === "training" && !/\bcomponents\b/.test(entry.settings[0]?.path ?? ""));
  return !isData;
}
