import { toCamelCase, toSnakeCase, type StandardSchema } from "@thaw/core";
import { z } from "zod";

/** The part of a JSON schema that reading a config needs. */
export interface Shape {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: boolean | Shape;
  readonly items?: Shape | readonly Shape[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly description?: string;
  /** Words that users write for one of `enum`, and which that is. */
  readonly synonyms?: Readonly<Record<string, string>>;
}

/**
 * The shape of what users write for a schema; undefined where the schema's maker cannot say (any Standard Schema but
 * zod's).
 */
export function shapeOf(schema: StandardSchema | undefined): Shape | undefined {
  if (schema === undefined || schema["~standard"].vendor !== "zod") return undefined;
  return z.toJSONSchema(schema as unknown as z.ZodType, {
    io: "input",
    target: "draft-07",
    unrepresentable: "any",
  }) as Shape;
}

/** The alternatives of a union, flat. */
export function variants(shape: Shape | undefined): readonly Shape[] {
  if (shape === undefined) return [];
  const inner = [...(shape.anyOf ?? []), ...(shape.oneOf ?? []), ...(shape.allOf ?? [])];
  return inner.length === 0 ? [shape] : inner.flatMap((variant) => variants(variant));
}

/** Alternatives that are mappings with named keys. */
export function objectVariants(shape: Shape | undefined): readonly Shape[] {
  return variants(shape).filter((variant) => variant.properties !== undefined);
}

/** Known keys, camelCase, of all alternatives; of the one whose `type` constant is `type` where there is one. */
export function knownKeys(shape: Shape | undefined, type?: unknown): readonly string[] {
  const all = objectVariants(shape);
  const matching = all.filter((variant) => type !== undefined && variant.properties?.["type"]?.const === type);
  return [
    ...new Set((matching.length > 0 ? matching : all).flatMap((variant) => Object.keys(variant.properties ?? {}))),
  ];
}

/** True if `null` is a value there, not a removal. */
export function allowsNull(shape: Shape | undefined): boolean {
  return variants(shape).some(
    (variant) =>
      variant.type === "null" ||
      (Array.isArray(variant.type) && variant.type.includes("null")) ||
      variant.const === null ||
      variant.enum?.includes(null) === true,
  );
}

/** What a key of a mapping means: its normal spelling and the shape of its value. */
export interface KeyMeaning {
  readonly key: string;
  readonly shape: Shape | undefined;
}

/**
 * Options are camelCase; keys of records (component ids, rule ids) are data: kept, and snake_case below `components`,
 * as Hugging Face spells them. Without a shape (`undefined`) the same is guessed from the parent's name.
 */
export function meaningOf(key: string, parentKey: string | undefined, shape: Shape | undefined): KeyMeaning {
  const camel = toCamelCase(key);
  const options = variants(shape);
  for (const name of [camel, key]) {
    const known = options.flatMap((variant) => variant.properties?.[name] ?? []);
    if (known.length > 0) return { key: name, shape: known.length === 1 ? known[0] : { anyOf: known } };
  }
  const isComponentList = parentKey === "components";
  const record = options.find((variant) => typeof variant.additionalProperties === "object");
  if (record !== undefined || (shape === undefined && (isComponentList || parentKey === "rules"))) {
    return { key: isComponentList ? toSnakeCase(key) : key, shape: record?.additionalProperties as Shape | undefined };
  }
  return { key: camel, shape: undefined };
}

/** The shape of a list's item. */
export function itemShape(shape: Shape | undefined, index: number): Shape | undefined {
  for (const variant of variants(shape)) {
    const items = variant.items;
    if (Array.isArray(items)) return (items as readonly Shape[])[index];
    if (items !== undefined) return items as Shape;
  }
  return undefined;
}
