import { shown, nearestNames } from "@thaw/contracts";
import { badConfig } from "../errors.js";

/** A JSON object of a checkpoint's config, read with checks; errors name the file and the dotted key. */
export interface ConfigReader {
  readonly file: string;
  /** Dotted key of this object; empty at the top. */
  readonly path: string;
  readonly raw: Readonly<Record<string, unknown>>;
  has(key: string): boolean;
  /** A positive integer; up to 1,024 where it counts layers or experts. @throws THAW_CHECKPOINT_CONFIG */
  size(key: string, fallback: number): number;
  number(key: string, fallback: number): number;
  boolean(key: string, fallback: boolean): boolean;
  /** One of `allowed`. */
  choice<T extends string>(key: string, allowed: readonly T[], fallback: T): T;
  /** The object under `key`; an empty one if absent. */
  child(key: string): ConfigReader;
  /** A nested error. */
  fail(key: string, message: string, advice: string): never;
}

/** Keys that count parts with parameters of their own: each part is made, by name, before a weight is looked at. */
const COUNTS = /(^|_)(layers?|depth|depths|blocks|experts)$/;
/** The largest known models have some 130 layers and 512 experts. */
const MAX_COUNT = 1024;
const MAX_SIZE = 2 ** 31 - 1;

/** Wraps a parsed JSON object. `null` counts as absent, as in Hugging Face's configs. */
export function configReader(file: string, raw: Readonly<Record<string, unknown>>, path = ""): ConfigReader {
  const dotted = (key: string): string => (path === "" ? key : `${path}.${key}`);
  const fail = (key: string, message: string, advice: string): never => {
    throw badConfig(file, dotted(key), message, advice, { value: raw[key] });
  };
  const typed = <T>(key: string, fallback: T, test: (value: unknown) => boolean, wanted: string): T => {
    const value = raw[key] ?? fallback;
    if (!test(value))
      fail(
        key,
        `The value ${shown(value)} is not ${wanted}.`,
        `Give ${wanted}, or leave the key out for ${shown(fallback)}.`,
      );
    return value as T;
  };
  return {
    file,
    path,
    raw,
    has: (key) => raw[key] !== undefined && raw[key] !== null,
    size(key, fallback) {
      const isCount = COUNTS.test(key);
      const most = isCount ? MAX_COUNT : MAX_SIZE;
      return typed(
        key,
        fallback,
        (value) => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= most,
        isCount ? `a positive integer up to ${MAX_COUNT}` : "a positive integer",
      );
    },
    number: (key, fallback) =>
      typed(key, fallback, (value) => typeof value === "number" && Number.isFinite(value), "a number"),
    boolean: (key, fallback) => typed(key, fallback, (value) => typeof value === "boolean", "true or false"),
    choice(key, allowed, fallback) {
      const value = raw[key] ?? fallback;
      const found = allowed.find((name) => name === value);
      if (found !== undefined) return found;
      const nearest = typeof value === "string" ? nearestNames(value, allowed, 1) : [];
      return fail(
        key,
        `The value ${shown(value)} is not supported.`,
        `Supported: ${allowed.join(", ")}.${nearest.length > 0 ? ` Nearest: ${nearest[0]}.` : ""}`,
      );
    },
    child(key) {
      const value = raw[key] ?? {};
      if (typeof value !== "object" || Array.isArray(value))
        fail(key, `The value ${shown(value)} is not an object.`, "Give an object.");
      return configReader(file, value as Record<string, unknown>, dotted(key));
    },
    fail,
  };
}

/** A size that has two names in configs: `key`, or `alias` where there is no `key`. @throws THAW_CHECKPOINT_CONFIG */
export function sizeUnder(config: ConfigReader, key: string, alias: string, fallback: number): number {
  return config.size(config.has(alias) && !config.has(key) ? alias : key, fallback);
}

/**
 * Token ids under `key`: a number, a list of numbers or nothing; negative ones, which old configs have for none, are
 * left out.
 */
export function tokenIds(config: ConfigReader, key: string): readonly number[] {
  if (!config.has(key)) return [];
  const value = config.raw[key];
  const ids = Array.isArray(value) ? (value as unknown[]) : [value];
  if (ids.every((id) => Number.isSafeInteger(id))) return (ids as number[]).filter((id) => id >= 0);
  return config.fail(key, `The value ${shown(value)} is not a token id.`, "Give an id or a list of ids.");
}
