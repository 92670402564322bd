import { CORE_PROVIDER, Registry, toSnakeCase, type StandardSchema } from "@thaw/core";
import { providerOf, type NamedPlugin } from "../resolving/plugins.js";
import { configShape } from "./validate.js";
import type { Shape } from "./shape.js";
import { SHARED_KEYS } from "../resolving/stages.js";

/**
 * The JSON schema (draft-07) of a config for editors, with the sections of these plugins; both spellings of every key
 * are known.
 */
export function configJsonSchema(
  hosts: Readonly<Record<string, StandardSchema>>,
  named: readonly NamedPlugin[],
  registry = new Registry([CORE_PROVIDER, ...named.map(providerOf)]),
): Readonly<Record<string, unknown>> {
  const whole = configShape(hosts, named, registry);
  const shape = withBothSpellings({
    ...whole,
    properties: { ...whole.properties, stages: stagesShape(whole) },
  }) as Record<string, unknown>;
  // A base file may hold any part of a config, so nothing is required here; `thaw check` says what is missing.
  const { required: _required, $schema: _schema, ...rest } = shape;
  return { $schema: "http://json-schema.org/draft-07/schema#", ...rest };
}

/** A stage may hold all but what stages share. */
function stagesShape(whole: Shape): Shape {
  const properties = Object.fromEntries(
    Object.entries(whole.properties ?? {}).filter(([key]) => !SHARED_KEYS.includes(key) && !key.startsWith("$")),
  );
  const { description, items } = whole.properties?.["stages"] ?? {};
  return {
    ...(description === undefined ? {} : { description }),
    type: "array",
    items: {
      type: "object",
      properties: { ...(items as Shape | undefined)?.properties, ...properties },
      required: ["name"],
      additionalProperties: false,
    },
  };
}

function withBothSpellings(shape: unknown): unknown {
  if (Array.isArray(shape)) return shape.map(withBothSpellings);
  if (typeof shape !== "object" || shape === null) return shape;
  const { properties, required, format, synonyms: _synonyms, ...rest } = shape as Shape & Record<string, unknown>;
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(rest))
    result[key] = key === "default" || key === "enum" || key === "const" ? value : withBothSpellings(value);
  // Our own formats mark paths; editors know none of them.
  if (
    format !== undefined &&
    !["path", "code-path", "model", "hub-or-path", "source", "package-or-path"].includes(format)
  )
    result["format"] = format;
  if (properties !== undefined) {
    const both = Object.entries(properties).flatMap(([key, value]) =>
      [...new Set([key, toSnakeCase(key)])].map((name) => [name, withBothSpellings(value)] as const),
    );
    result["properties"] = Object.fromEntries(both);
  }
  const plain = required?.filter((key) => toSnakeCase(key) === key);
  if (plain !== undefined && plain.length > 0) result["required"] = plain;
  return result;
}
