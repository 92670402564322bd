import { cutFinding, type Finding, type Setting } from "@thaw/core";
import type { ForeignEntry } from "./types.js";

/** Collects a foreign config's settings while a reader goes through its keys. */
export class ForeignBuilder {
  readonly #entries: ReadonlyMap<string, ForeignEntry>;
  readonly #file: string;
  readonly #prefix: string;
  readonly #meant = new Set<string>();
  readonly #settings: Setting[] = [];
  readonly #dropped: { setting: Setting; why?: string }[] = [];
  readonly #unreadable = new Set<string>();
  readonly findings: Finding[] = [];
  #isRefused = false;

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

  /** The value of a key that is a number; where it is something else that is a finding, and no value is made up. */
  number(key: string): number | undefined {
    return this.#read(key, readNumber, "a number");
  }

  /** The value of a key that is true or false; where it is something else that is a finding. */
  boolean(key: string): boolean | undefined {
    return this.#read(key, readBoolean, "true or false");
  }

  #read<T>(key: string, read: (value: unknown) => T | undefined, wanted: string): T | undefined {
    const value = this.value(key);
    const result = read(value);
    if (value === undefined || result !== undefined || this.#unreadable.has(key)) return result;
    this.#unreadable.add(key);
    const shown = typeof value === "string" ? value : JSON.stringify(value);
    const isVariable = shown.includes("$");
    this.drop(key, `its value is not ${wanted}`);
    this.findings.push({
      rule: "config",
      severity: "error",
      message: isVariable
        ? `\`${this.#prefix}${key}\` is \`${shown}\`, which the shell that runs the script would fill in: its value ` +
          "is not known here."
        : `\`${this.#prefix}${key}\` is \`${shown}\`, which is not ${wanted}.`,
      fix: `Write ${wanted} in its place.`,
      settings: [this.setting(key)],
    });
    return undefined;
  }

  /** Adds a finding for which nothing of the config can be carried over. */
  refuse(finding: Finding): void {
    this.#isRefused = true;
    this.findings.push(finding);
  }

  /** True if the key is there with a value that could not be read. */
  isUnreadable(key: string): boolean {
    return this.#unreadable.has(key);
  }

  /** Says that a key changes what trains, or how, and is not carried over: a warning, not only a line of a list. */
  warnDropped(key: string, why: string, fix: string): void {
    if (this.value(key) === undefined) return;
    this.drop(key, why);
    this.findings.push({
      rule: "config",
      severity: "warning",
      message: `\`${this.#prefix}${key}\` is not carried over: ${why}.`,
      fix,
      settings: [this.setting(key)],
    });
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
    if (value === undefined || (this.value(key) === undefined && fallback === undefined)) return;
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
    readonly findings: readonly Finding[];
    readonly isRefused: boolean;
  } {
    for (const key of this.#entries.keys())
      if (!this.#meant.has(key) && /freez|train(?!_dataset|ing_|_batch)|lora|aligner|vit_|tuner/.test(key))
        this.warnDropped(
          key,
          "Thaw does not know it, and its name says that it changes what trains",
          "Check its spelling, and say what it means under `freeze`.",
        );
    const rest = [...this.#entries.keys()]
      .filter((key) => !this.#meant.has(key))
      .map((key) => ({ setting: this.setting(key) }));
    const plain = [...this.#entries.keys()]
      .filter((key) => !this.#settings.some(({ path }) => path === this.#prefix + key))
      .map((key) => this.setting(key));
    return {
      settings: [...this.#settings, ...plain],
      dropped: [...this.#dropped, ...rest],
      findings: this.findings.map(cutFinding),
      isRefused: this.#isRefused,
    };
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
