/**
 * Types of options for programs, from the schemas (needs a build): an interface per mapping, with the description of
 * every key where an editor shows it. What zod infers has none.
 */
import { spawnSync } from "node:child_process";
import { z } from "zod";
import { root } from "../prepare.mjs";
import { DECLARED_ELSEWHERE, TARGETS, UNIONS } from "./option-targets.mjs";

const WIDTH = 120;

/** The files by their paths, as they should be. */
export async function optionTypes() {
  const files = new Map();
  for (const target of TARGETS) {
    const schemas = await import(`../../packages/${target.schemas}`);
    const file = { target, declared: new Map(), imports: new Map() };
    for (const [type, schemaOf] of Object.entries(target.types)) {
      const schema = typeof schemaOf === "string" ? schemas[schemaOf] : schemaOf(schemas);
      declare(type, z.toJSONSchema(schema, { io: "input", target: "draft-07", unrepresentable: "any" }), file);
    }
    const path = `packages/${target.file}`;
    const imports = [...file.imports].map(
      ([from, names]) => `import type { ${[...names].sort().join(", ")} } from "${from}";`,
    );
    const text = [
      "// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.",
      ...(imports.length === 0 ? [] : [imports.join("\n")]),
      ...file.declared.values(),
    ].join("\n\n");
    files.set(path, formatted(path, `${text}\n`));
  }
  return files;
}

/** A type of that name; the mappings in it become interfaces of their own, under names made of its and the keys'. */
function declare(name, shape, file) {
  const union = UNIONS[name];
  if (union !== undefined) return declareUnion(name, union, shape, file);
  const about = comment("", shape.description ?? "As users write it.");
  // Its place is before those that it needs
  file.declared.set(name, "");
  file.declared.set(
    name,
    shape.properties === undefined
      ? `${about}export type ${name} = ${typeOf(`${name}Mapping`, shape, file, shape.description)};`
      : `${about}export interface ${name} ${members(name, shape, file)}`,
  );
}

/** What is chosen by `type`: an interface per type, and a member for what plugins add. */
function declareUnion(name, { about, suffix, provided, common }, shape, file) {
  file.declared.set(name, "");
  const names = (shape.anyOf ?? shape.oneOf).map((one) => {
    const { const: type, description } = one.properties.type;
    const member = `${pascal(type)}${suffix}`;
    const text = comment("", one.description ?? description);
    file.declared.set(member, `${text}export interface ${member} ${members(member, one, file)}`);
    return [type, member];
  });
  if (file.target.provides !== undefined) {
    // Provided by a plugin's package, which adds them as any other would
    const lines = names.map(([type, member]) => `    ${JSON.stringify(type)}: ${member};`).join("\n");
    const module = file.target.provides;
    file.declared.set(name, `declare module "${module}" {\n  interface ${provided} {\n${lines}\n  }\n}`);
    return;
  }
  imported(file, "@thaw/contracts", provided);
  const others = `${provided}[keyof ${provided}]`;
  const added = common === undefined ? others : `(${others} & ${common})`;
  const all = [...names.map(([, member]) => member), added].join(" | ");
  file.declared.set(name, `${comment("", about)}export type ${name} = ${all};`);
}

function members(name, { properties, required = [], additionalProperties }, file) {
  const lines = Object.entries(properties).map(([key, shape]) => {
    if (shape.description === undefined) throw new Error(`The option ${name}.${key} has no description.`);
    const isOptional = !required.includes(key);
    const inner = memberType(name, key, shape, file);
    const end = isOptional ? " | undefined" : "";
    return `${comment("  ", withDefault(shape))}  ${key}${isOptional ? "?" : ""}: ${inner}${end};`;
  });
  const others = typeof additionalProperties === "object" ? ["  readonly [key: string]: unknown;"] : [];
  return `{\n${[...lines, ...others].join("\n")}\n}`;
}

/** The type of a key: one that is declared in another file or under a name of its own, or what its shape says. */
function memberType(name, key, shape, file) {
  const known = file.target.keys?.[key];
  if (known?.from !== undefined) {
    imported(file, known.from, known.name);
    return known.type ?? known.name;
  }
  return typeOf(known?.name ?? name + pascal(key), shape, file, shape.description);
}

function withDefault({ description, default: value, const: only }) {
  if (only !== undefined) return description;
  const isPlain = ["string", "number", "boolean"].includes(typeof value);
  return isPlain && !/Default:/.test(description) ? `${description} Default: ${value}.` : description;
}

/** A shape as a type; `about` says what a mapping is that has no description of its own. */
function typeOf(name, shape, file, about) {
  const titled = DECLARED_ELSEWHERE[shape.title];
  if (titled !== undefined) {
    if (titled.from !== undefined) imported(file, titled.from, titled.name);
    else if (!file.declared.has(titled.name)) declare(titled.name, shape, file);
    return titled.name;
  }
  const inner = shape.anyOf ?? shape.oneOf;
  if (inner !== undefined) return [...new Set(inner.map((one) => typeOf(name, one, file, about)))].join(" | ");
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (shape.enum !== undefined) return shape.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (shape.type === "array") return listOf(typeOf(name, shape.items ?? {}, file, about));
  if (shape.properties !== undefined) {
    const text = comment("", shape.description ?? about ?? "As users write it.");
    file.declared.set(name, `${text}export interface ${name} ${members(name, shape, file)}`);
    return name;
  }
  if (shape.type === "object") return `Record<string, ${typeOf(name, shape.additionalProperties ?? {}, file, about)}>`;
  if (shape.type === "integer") return "number";
  return ["string", "number", "boolean", "null"].includes(shape.type) ? shape.type : "unknown";
}

function imported(file, from, name) {
  file.imports.set(from, (file.imports.get(from) ?? new Set()).add(name));
}

/** `warmup_stable_decay`, `llama-factory`, `minRatio` as part of a type's name. */
function pascal(word) {
  return word.replace(/(?:^|[-_])([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

function listOf(item) {
  return item.includes(" ") ? `(${item})[]` : `${item}[]`;
}

/** A doc block of lines that are no longer than the formatter's width. */
function comment(indent, text) {
  if (`${indent}/** ${text} */`.length <= WIDTH) return `${indent}/** ${text} */\n`;
  const lines = [];
  let line = `${indent} *`;
  for (const word of text.split(" ")) {
    if (`${line} ${word}`.length > WIDTH) {
      lines.push(line);
      line = `${indent} *`;
    }
    line += ` ${word}`;
  }
  return [`${indent}/**`, ...lines, line, `${indent} */`, ""].join("\n");
}

function formatted(path, text) {
  const { status, stdout, stderr } = spawnSync("npx", ["--no-install", "oxfmt", `--stdin-filepath=${path}`], {
    cwd: root,
    input: text,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
