import type { Finding, Setting } from "@thaw/core";
import type { ForeignEntry } from "./types.js";

/** Collects a foreign config's settings while a reader goes through its keys. */
export class ForeignBuilder {
  readonly #entries: ReadonlyMap<string, ForeignEntry>;
  readonly #file: string;
  readonly #prefix: string;
  readonly #meant = new Set<string>();
  readonly #settings: Setting[] = [];
  readonly #dropped: { setting: Setting; why?: string }[] = [];
  readonly findings: Finding[] = [];

  /** `prefix` stands before every key in messages (`--` for arguments). Of a key given twice the last value counts. */
  constructor(entries: readonly ForeignEntry[], file: string, prefix = "") {
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]));
    this.#file = file;
    this.#prefix = prefix;
  }

  /** The value of a key; undefined where it is absent or null. */
  value(key: string): unknown {
    return this.#entries.get(key)?.value ?? undefined;
  }

  /** The value of a key that is text; undefined otherwise. */
  text(key: string): string | undefined {
    const value = this.value(key);
    return typeof value === "string" ? value : undefined;
  }

  /** The key as a setting, without meaning; where it is absent the tool's default, as a default. */
  setting(key: string, fallback?: unknown): Setting {
    const entry = this.#entries.get(key);
    const path = this.#prefix + key;
    if (entry === undefined) return { path, value: fallback, origin: "default", file: this.#file };
    return {
      path,
      value: entry.value,
      origin: "explicit",
      file: this.#file,
      ...(entry.line === undefined ? {} : { line: entry.line }),
    };
  }

  /** Says that a key means `path: value`; with `fallback` also where the key is absent. */
  means(key: string, path: string, value: unknown, fallback?: unknown): void {
    if (this.value(key) === undefined && fallback === undefined) return;
    this.#meant.add(key);
    this.#settings.push({ ...this.setting(key, fallback), means: { path, value } });
  }

  /** The same for a key whose value needs no change. */
  carry(key: string, path: string, fallback?: unknown): void {
    const value = this.value(key) ?? fallback;
    if (value !== undefined) this.means(key, path, value, fallback);
  }

  /** Says that a key is understood and means nothing more. */
  understood(...keys: readonly string[]): void {
    for (const key of keys) this.#meant.add(key);
  }

  /** Says why a key, if it is there, is not carried over. */
  drop(key: string, why: string): void {
    if (this.value(key) === undefined) return;
    this.#meant.add(key);
    this.#dropped.push({ setting: this.setting(key), why });
  }

  /** Everything, with the keys that nobody asked for as dropped ones. */
  done(): {
    readonly settings: readonly Setting[];
    readonly dropped: readonly { readonly setting: Setting; readonly why?: string }[];
  } {
    const rest = [...this.#entries.keys()]
      .filter((key) => !this.#meant.has(key))
      .map((key) => ({ setting: this.setting(key) }));
    const plain = [...this.#entries.keys()]
      .filter((key) => !this.#settings.some(({ path }) => path === this.#prefix + key))
      .map((key) => this.setting(key));
    return { settings: [...this.#settings, ...plain], dropped: [...this.#dropped, ...rest] };
  }
}

/** True for `true`, `"true"`, `"True"`, `"1"`, `"yes"`; false for their opposites; undefined for anything else. */
export function readBoolean(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  const text = typeof value === "string" || typeof value === "number" ? String(value).toLowerCase() : "";
  if (["true", "1", "yes"].includes(text)) return true;
  return ["false", "0", "no"].includes(text) ? false : undefined;
}

/** A number, also written as text (YAML 1.1 tools write `1.0e-4`); undefined for anything else. */
export function readNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
  return Number.isNaN(number) ? undefined : number;
}

/** A list, also written as `a,b`. */
export function readList(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const items = Array.isArray(value)
    ? value.map((item) => (typeof item === "string" ? item : JSON.stringify(item)))
    : typeof value === "string"
      ? value.split(",")
      : [];
  return items.map((item) => item.trim()).filter((item) => item !== "");
}
