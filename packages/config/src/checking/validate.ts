import { toCamelCase, type Finding, type Plugin, type Registry, type Setting, type StandardSchema } from "@thaw/core";
import { finding, issueFindings, issuesOf, unknownKeys } from "./issues.js";
import { sectionKey, sectionSchema, type NamedPlugin } from "../resolving/plugins.js";
import { withSecrets } from "../resolving/secrets.js";
import { configSchema, configSchemaOf, type ResolvedValues } from "./schema.js";
import { shapeOf, type Shape } from "./shape.js";
import { plainValue, withoutNode, type ConfigNode } from "../words/tree.js";

/** The shape of a whole config: own keys, the host's sections, the plugins' sections. */
export function configShape(
  hosts: Readonly<Record<string, StandardSchema>>,
  named: readonly NamedPlugin[],
  registry: Registry,
): Shape {
  const own = shapeOf(configSchemaOf(registry)) ?? {};
  const added = named.flatMap((plugin): [string, Shape][] =>
    sectionKey(plugin) === undefined ? [] : [[sectionKey(plugin)!, shapeOf(sectionSchema(plugin)) ?? {}]],
  );
  const hosted = Object.entries(hosts).map(([key, schema]): [string, Shape] => [key, shapeOf(schema) ?? {}]);
  return { ...own, properties: { ...own.properties, ...Object.fromEntries([...hosted, ...added]) } };
}

/** What validation makes of a tree; see `ResolvedConfig`. */
export interface Validated {
  readonly values: ResolvedValues;
  readonly sections: Readonly<Record<string, unknown>>;
  readonly defaults: readonly Setting[];
  readonly plugins: readonly Plugin[];
}

/** Who owns which section, and where every value came from. */
export interface Parts {
  readonly hosts: Readonly<Record<string, StandardSchema>>;
  readonly named: readonly NamedPlugin[];
  readonly registry: Registry;
  readonly settings: readonly Setting[];
  /** `--trust`: data may name environment variables. */
  readonly trustsAll: boolean;
}

/** Checks every part of a config against its schema and makes the plugins; what is wrong is reported and left out. */
export function validate(
  root: ConfigNode,
  { hosts, named, registry, settings, trustsAll }: Parts,
  findings: Finding[],
): Validated {
  const known = Object.keys(configSchema.shape);
  const sectionKeys = [...Object.keys(hosts), ...named.flatMap((plugin) => sectionKey(plugin) ?? [])];
  const own = new Map(
    [...(root.children ?? [])]
      .filter(([key]) => known.includes(key))
      .map(([key, node]) => [key, key === "trackers" ? withSecrets(node, trustsAll, findings) : node]),
  );
  const unknown = [...(root.children?.keys() ?? [])].filter(
    (key) => !known.includes(key) && !sectionKeys.includes(key),
  );
  findings.push(...unknownKeys(root, unknown, sectionKeys));
  const values = validValues({ ...root, children: own }, configSchemaOf(registry), findings);
  const defaults = [...defaultsOf(values, { ...root, children: own }, [])];
  const sections: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(hosts)) {
    const checked = checkSection(key, schema, root, findings);
    if (!checked.isValid) continue;
    sections[key] = checked.value;
    defaults.push(...defaultsOf(checked.value, root.children?.get(key), [key]));
  }
  const plugins: Plugin[] = [];
  for (const plugin of named) {
    const made = makePlugin(plugin, root, { settings, trustsAll }, findings);
    if (made !== undefined) plugins.push(made.plugin);
    defaults.push(...(made?.defaults ?? []));
  }
  return { values, sections, defaults, plugins: withWhatTheyNeed(plugins) };
}

/** The plugins that all they need is among: one whose section is invalid takes along those that need it. */
function withWhatTheyNeed(plugins: readonly Plugin[]): readonly Plugin[] {
  const names = plugins.map(({ name }) => name);
  const whole = plugins.filter(({ needs = [] }) => needs.every((needed) => names.includes(needed)));
  return whole.length === plugins.length ? plugins : withWhatTheyNeed(whole);
}

/** A section against its schema, as `node` where that differs from the config; an absent one has the defaults. */
function checkSection(
  key: string,
  schema: StandardSchema | undefined,
  root: ConfigNode,
  findings: Finding[],
  node: ConfigNode | undefined = root.children?.get(key),
): { readonly isValid: boolean; readonly value?: unknown } {
  if (schema === undefined) return { isValid: true, value: plainValue(node) };
  if (node !== undefined) {
    const issues = issuesOf(schema, plainValue(node));
    findings.push(...issues.flatMap((issue) => issueFindings(root, { ...issue, path: [key, ...issue.path] })));
    if (issues.length > 0) return { isValid: false };
  }
  // A schema of a scalar wants undefined where it is absent, one of a mapping an empty mapping.
  const results = [plainValue(node), {}].map((value) => schema["~standard"].validate(value));
  const valid = results.find((result) => !(result instanceof Promise) && result.issues === undefined);
  return {
    isValid: true,
    value: valid === undefined || valid instanceof Promise || valid.issues !== undefined ? undefined : valid.value,
  };
}

/** Valid values: what breaks the schema is reported and left out. */
function validValues(root: ConfigNode, schema: typeof configSchema, findings: Finding[]): ResolvedValues {
  let tree = root.children?.has("model") === true ? root : withModel(root);
  for (let round = 0; round < 10; round++) {
    const parsed = schema.safeParse(plainValue(tree));
    if (parsed.success) {
      const {
        extends: _extends,
        plugins: _plugins,
        stages: _stages,
        $schema: _schema,
        $saved: _saved,
        ...values
      } = parsed.data;
      return values;
    }
    for (const issue of issuesOf(schema, plainValue(tree))) {
      if (round === 0) findings.push(...issueFindings(tree, issue));
      for (const path of issue.keys?.map((key) => [...issue.path, key]) ?? [issue.path])
        tree = withModel(withoutDeepest(tree, path));
    }
  }
  return schema.parse({ model: "." });
}

function withModel(root: ConfigNode): ConfigNode {
  if (root.children?.has("model") === true) return root;
  const model: ConfigNode = { kind: "leaf", value: ".", layer: root.layer, path: ["model"] };
  return { ...root, children: new Map([...(root.children ?? []), ["model", model]]) };
}

/** Takes out the node, or the deepest one above it that exists (where a required key is missing). */
function withoutDeepest(root: ConfigNode, path: readonly PropertyKey[]): ConfigNode {
  for (let length = path.length; length > 0; length--) {
    const without = withoutNode(root, path.slice(0, length));
    if (JSON.stringify(plainValue(without)) !== JSON.stringify(plainValue(root))) return without;
  }
  return { ...root, children: new Map() };
}

function makePlugin(
  named: NamedPlugin,
  root: ConfigNode,
  { settings, trustsAll }: Pick<Parts, "settings" | "trustsAll">,
  findings: Finding[],
): { readonly plugin: Plugin; readonly defaults: readonly Setting[] } | undefined {
  const key = sectionKey(named);
  const node = key === undefined ? undefined : root.children?.get(key);
  if (named.kind === "made") {
    if (node !== undefined)
      findings.push(
        finding(
          node,
          `The plugin ${named.plugin.name} has its options twice: where it was made in plugins, and in ` +
            `${node.path.join(".")}.`,
          `Remove ${node.path.join(".")}, or name the plugin without options.`,
        ),
      );
    return { plugin: named.plugin, defaults: [] };
  }
  if (key === undefined) return { plugin: named.factory(undefined, []), defaults: [] };
  const section = node === undefined ? undefined : withSecrets(node, trustsAll, findings);
  const checked = checkSection(key, sectionSchema(named), root, findings, section);
  if (!checked.isValid) return undefined;
  const own = settings.filter(({ path }) => toCamelCase(path.split(".")[0] ?? "") === key);
  return { plugin: named.factory(plainValue(section), own), defaults: [...defaultsOf(checked.value, section, [key])] };
}

/** Leaves of a filled-in value that no node stands for. */
function* defaultsOf(value: unknown, node: ConfigNode | undefined, path: readonly string[]): Generator<Setting> {
  if (value === undefined || (node !== undefined && node.kind !== "map")) return;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (node === undefined) yield { path: path.join("."), value, origin: "default" };
    return;
  }
  for (const [key, child] of Object.entries(value)) yield* defaultsOf(child, node?.children?.get(key), [...path, key]);
}
