/**
 * `docs/options.md` from the schemas of the config, its sections and the built-in plugins' sections (needs a build):
 * key, type, default and meaning of every option. Throws for an option without description.
 */
import { configShape } from "@thaw/config";
import { CORE_PROVIDER, Registry } from "@thaw/core";
import { loraSchema } from "@thaw/plugin-lora";
// Not public: what the command line loads is the command line's business, and its entry stays light for configs that
// import it.
import { BUILT_IN_PLUGINS, hostSections } from "../../packages/cli/dist/config/load-config.js";

/** The shape of every key that `thaw` knows without further plugins, camelCase. */
export function optionShape() {
  const registry = new Registry([CORE_PROVIDER, ...BUILT_IN_PLUGINS.map(({ definition }) => definition)]);
  return configShape(
    hostSections(registry),
    BUILT_IN_PLUGINS.map((factory) => ({ kind: "factory", factory })),
    registry,
  );
}

/** Defaults that the schema of the section leaves to another plugin, by the path of their mapping. */
const FILLED_IN_LATER = new Map([["freeze.components.*.lora", loraSchema.parse({})]]);

/**
 * @param {object} shape JSON schema of the whole config
 * @param {ReadonlyMap<string, object>} filled defaults that are not in it, by the path of their mapping
 */
export function optionsPage(shape, filled = FILLED_IN_LATER) {
  const shared = new Map();
  const rows = rowsOf(shape, "", { shared, filled });
  const isSection = ({ path }) => rows.some((row) => row.path.startsWith(`${path}.`));
  const sections = rows.filter((row) => !row.path.includes(".") && isSection(row));
  const top = rows
    .filter(({ path }) => !path.includes("."))
    .map((row) => (isSection(row) ? { ...row, link: `#${row.path}` } : row));
  return [
    "# Options",
    "",
    "<!-- Generated from the schemas (packages/*/src/options.ts, schema.ts, data-section.ts) by `node " +
      "scripts/docs.mjs`. Edit the descriptions there. -->",
    "",
    "Every key of a config, as in YAML; camelCase is accepted everywhere. A dotted path is a key inside of " +
      "mappings, and what `--set` takes: `--set training.max_steps=100`.",
    "`*` stands for a name that you choose, or for a component's. Plugins that a config names bring sections of " +
      "their own.",
    "",
    "`thaw config --schema` prints the same as a JSON schema, for completion in editors; `thaw config` shows the " +
      "value that each key has in a config, and which line gave it.",
    "",
    ...table(top),
    ...sections.flatMap((section) => [
      "",
      `## ${section.path}`,
      "",
      section.description,
      "",
      ...table(rows.filter(({ path }) => path.startsWith(`${section.path}.`))),
    ]),
    ...[...shared].flatMap(([title, { short, variants }]) => [
      "",
      `## ${title}`,
      ...(short === undefined ? [] : ["", `Short form: ${short}`]),
      ...variants.flatMap(({ name, rows: own }) => ["", `### ${name}`, "", ...table(own)]),
    ]),
    "",
  ].join("\n");
}

/** A row for each key below `path`, parents before children. What has a title is put into `shared` instead, once. */
function rowsOf(shape, path, context) {
  const rows = [];
  for (const mapping of mappingsOf(shape, context)) {
    for (const [key, value] of Object.entries(mapping.properties ?? {})) {
      const at = path === "" ? snake(key) : `${path}.${snake(key)}`;
      if (!value.description) throw new Error(`The option ${at} has no description in its schema.`);
      const fallback = value.default ?? context.filled.get(path)?.[key];
      rows.push({
        path: at,
        type: typeText(value),
        default: defaultText(value, fallback, mapping.required?.includes(key)),
        description: value.description,
      });
      rows.push(...rowsOf(value, at, context));
    }
    if (typeof mapping.additionalProperties === "object")
      rows.push(...rowsOf(mapping.additionalProperties, `${path}.*`, context));
    if (mapping.type === "array" && typeof mapping.items === "object")
      rows.push(...rowsOf(mapping.items, `${path}.*`, context));
  }
  return rows;
}

/** The alternatives of a shape, those of a titled one left out and noted. */
function mappingsOf(shape, context) {
  const inner = alternatives(shape);
  if (inner === undefined) return [shape];
  if (shape.title === undefined) return inner.flatMap((one) => mappingsOf(one, context));
  if (!context.shared.has(shape.title)) {
    const all = inner.flatMap((one) => mappingsOf(one, context));
    const variants = all
      .filter(({ properties }) => properties !== undefined)
      .map((variant) => ({ name: `\`type: ${variant.properties.type.const}\``, rows: rowsOf(variant, "", context) }));
    context.shared.set(shape.title, { short: all.find(({ type }) => type === "string")?.description, variants });
  }
  return [];
}

function alternatives(shape) {
  return shape.anyOf ?? shape.oneOf ?? shape.allOf;
}

function table(rows) {
  return [
    "| option | type | default | meaning |",
    "| --- | --- | --- | --- |",
    ...rows.map(
      (row) =>
        `| ${row.link === undefined ? `\`${row.path}\`` : `[\`${row.path}\`](${row.link})`} | ${row.type} | ` +
        `${row.default} | ${cell(row.description)} |`,
    ),
  ];
}

function defaultText(shape, value, isRequired) {
  if (isRequired) return "required";
  // What a mapping holds has defaults of its own.
  if (value === undefined || (isEmpty(value) && (shape.properties ?? shape.title) !== undefined)) return "";
  const gibibytes = typeof value === "number" ? value / 2 ** 30 : 0;
  if (gibibytes >= 1 && Number.isInteger(gibibytes)) return `\`${gibibytes}GiB\``;
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function isEmpty(value) {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function typeText(shape) {
  if (shape.title !== undefined)
    return `[${shape.title.toLowerCase()}](#${shape.title.toLowerCase().replaceAll(" ", "-")})`;
  const inner = alternatives(shape);
  if (inner !== undefined) return [...new Set(inner.map(typeText))].join(" or ");
  if (shape.const !== undefined) return `\`${shape.const}\``;
  if (shape.enum !== undefined) return shape.enum.map((one) => `\`${one}\``).join(", ");
  if (shape.type === "null") return "`null`";
  if (shape.type === "boolean") return "`true`, `false`";
  if (shape.type === "array")
    return `list${shape.items?.type === undefined ? "" : ` of ${plural(typeText(shape.items))}`}`;
  if (shape.type === "object") return `mapping${valuesText(shape.additionalProperties)}`;
  if (shape.type === "number" || shape.type === "integer") return `${shape.type}${boundsText(shape)}`;
  if (shape.type === "string")
    return shape.format === undefined
      ? "text"
      : shape.format === "package-or-path"
        ? "package or path"
        : shape.format === "code-path"
          ? "path of code"
          : shape.format === "source"
            ? "text"
            : shape.format === "hub-or-path" || shape.format === "model"
              ? "path"
              : shape.format;
  return "any";
}

/** Of a mapping with keys that users choose: what they map to. */
function valuesText(values) {
  const text = typeof values === "object" ? typeText(values) : "any";
  return text === "any" ? "" : text === "mapping" ? " of mappings" : ` to ${text}`;
}

function plural(type) {
  return type === "text" ? "texts" : type === "mapping" ? "mappings" : type;
}

function boundsText({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const low = type === "integer" && exclusiveMinimum !== undefined ? exclusiveMinimum + 1 : minimum;
  const bounds = [
    ...(low !== undefined && low > Number.MIN_SAFE_INTEGER
      ? [`≥ ${low}`]
      : exclusiveMinimum !== undefined
        ? [`> ${exclusiveMinimum}`]
        : []),
    ...(maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
      ? [`≤ ${maximum}`]
      : exclusiveMaximum !== undefined
        ? [`< ${exclusiveMaximum}`]
        : []),
  ];
  return bounds.length === 0 ? "" : ` ${bounds.join(", ")}`;
}

function cell(text) {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("*", "\\*");
}

function snake(key) {
  return key.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
