/**
 * Types of options for programs, from the schemas (needs a build): an interface per mapping, with the description of
 * every key where an editor shows it. What zod infers has none.
 */
import { spawnSync } from "node:child_process";
import { z } from "zod";
import { root } from "../prepare.mjs";

/** Packages whose options have types of this kind, and the schema of each type. */
const TARGETS = {
  "plugin-freeze-policy": { FreezePolicyOptions: "freezeSchema" },
  "plugin-lora": { LoraSectionOptions: "loraSectionSchema" },
  "plugin-token-rows": { TokenRowsOptions: "tokenRowsSchema" },
  "plugin-projector-only": { ProjectorOnlyOptions: "projectorOnlySchema" },
  "plugin-conflict-checker": { ConflictCheckerOptions: "checksSchema" },
  "backend-gpu": { BackendOptions: "backendOptionsSchema" },
};
const WIDTH = 120;

/** The files by their paths, as they should be. */
export async function optionTypes() {
  const files = new Map();
  for (const [name, types] of Object.entries(TARGETS)) {
    const schemas = await import(`../../packages/${name}/dist/options.js`);
    const interfaces = new Map();
    const parts = Object.entries(types).flatMap(([type, schema]) => {
      const shape = z.toJSONSchema(schemas[schema], { io: "input", target: "draft-07", unrepresentable: "any" });
      return declaration(type, shape, interfaces);
    });
    const path = `packages/${name}/src/option-types.ts`;
    const text = [
      "// Generated from the schemas in options.ts by `node scripts/docs.mjs`; edit the descriptions there.",
      ...parts,
      ...interfaces.values(),
    ].join("\n\n");
    files.set(path, formatted(path, `${text}\n`));
  }
  return files;
}

/** A type of that name; the mappings in it become interfaces of their own, under names made of its and the keys'. */
function declaration(name, shape, interfaces) {
  const about = comment("", shape.description ?? "As users write it.");
  if (shape.properties !== undefined) return [`${about}export interface ${name} ${members(name, shape, interfaces)}`];
  return [`${about}export type ${name} = ${typeOf(`${name}Mapping`, shape, interfaces, shape.description)};`];
}

function members(name, { properties, required = [] }, interfaces) {
  const lines = Object.entries(properties).map(([key, shape]) => {
    if (shape.description === undefined) throw new Error(`The option ${name}.${key} has no description.`);
    const isOptional = !required.includes(key);
    const inner = typeOf(name + key[0].toUpperCase() + key.slice(1), shape, interfaces, shape.description);
    const end = isOptional ? " | undefined" : "";
    return `${comment("  ", withDefault(shape))}  ${key}${isOptional ? "?" : ""}: ${inner}${end};`;
  });
  return `{\n${lines.join("\n")}\n}`;
}

function withDefault({ description, default: value }) {
  const isPlain = ["string", "number", "boolean"].includes(typeof value);
  return isPlain && !/Default:/.test(description) ? `${description} Default: ${value}.` : description;
}

/** A shape as a type; `about` says what a mapping is that has no description of its own. */
function typeOf(name, shape, interfaces, about) {
  const inner = shape.anyOf ?? shape.oneOf;
  if (inner !== undefined) return [...new Set(inner.map((one) => typeOf(name, one, interfaces, about)))].join(" | ");
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (shape.enum !== undefined) return shape.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (shape.type === "array") return listOf(typeOf(name, shape.items ?? {}, interfaces, about));
  if (shape.properties !== undefined) {
    const text = comment("", shape.description ?? about ?? "As users write it.");
    interfaces.set(name, `${text}export interface ${name} ${members(name, shape, interfaces)}`);
    return name;
  }
  if (shape.type === "object")
    return `Record<string, ${typeOf(name, shape.additionalProperties ?? {}, interfaces, about)}>`;
  if (shape.type === "integer") return "number";
  return ["string", "number", "boolean", "null"].includes(shape.type) ? shape.type : "unknown";
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
