import type { Finding, Setting } from "@thaw/core";

/** Tools whose configs `thaw check` and `thaw convert` read. */
export type ForeignFormat = "llama-factory" | "ms-swift";

/**
 * Says Thaw's keys in the other tool's words; undefined where it has none. Paths are canonical:
 * `["freezeVisionTower"]`.
 */
export interface ForeignWords {
  write(path: readonly string[]): string | undefined;
  assign(path: readonly string[], value: unknown): string | undefined;
}

/** A config of another tool, read: its settings with what they mean for Thaw. */
export interface ForeignConfig {
  readonly format: ForeignFormat;
  readonly file: string;
  /**
   * All settings, in the words of the file; those that Thaw has a word for say what they mean. Defaults that matter are
   * among them.
   */
  readonly settings: readonly Setting[];
  readonly words: ForeignWords;
  /** A local path or the name of a model on a hub; undefined if the config names none. */
  readonly model?: Setting;
  /** What the file says that contradicts itself in its own tool, or does nothing there. */
  readonly findings: readonly Finding[];
  /** True where it is for something that Thaw does not do (preferences, rewards): there is nothing to convert. */
  readonly isRefused: boolean;
  /** Keys that have no meaning for Thaw, with why where that is worth saying; for `thaw convert`. */
  readonly dropped: readonly { readonly setting: Setting; readonly why?: string }[];
}

/** One key of the file: value, line. */
export interface ForeignEntry {
  readonly key: string;
  readonly value: unknown;
  readonly line?: number;
}
