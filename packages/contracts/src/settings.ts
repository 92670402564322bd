/** Where a value came from. `explicit`: config file, a file it extends by path, `--set`, constructor. */
export type Origin = "explicit" | "preset" | "default";

/** One setting and its provenance. */
export interface Setting {
  /** Dotted, as the user spelt it: `freeze.train_mm_proj_only`. */
  readonly path: string;
  readonly value: unknown;
  readonly origin: Origin;
  /** Absent for settings given in code. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /**
   * What it says in Thaw's words, where it stands in another tool's config and `path` and `value` are in the words of
   * that tool. One such setting may stand for several of Thaw's.
   */
  readonly means?: { readonly path: string; readonly value: unknown };
}

export type Severity = "error" | "warning" | "note";

/**
 * One safe edit that resolves a finding: the result does what was plainly meant, or exactly what it did before. `path`
 * is as the file spells it; `set` makes the key where it is missing.
 */
export type Edit =
  | { readonly action: "set"; readonly file: string; readonly path: string; readonly value: unknown }
  | { readonly action: "remove"; readonly file: string; readonly path: string }
  | { readonly action: "rename"; readonly file: string; readonly path: string; readonly name: string };

/** What the conflict checker reports: what is wrong, where (settings), and the smallest edit that fixes it. */
export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  readonly fix: string;
  readonly settings: readonly Setting[];
  /**
   * For `thaw check --fix`; absent where there is more than one way out, or the way out is a matter of what was meant.
   */
  readonly edit?: Edit;
}

/** What a plugin reads and writes, so that the checker compares declarations and never tests for classes. */
export interface Claims {
  /** e.g. `plan`, `gradients`, `batch`, `parameters`, `segmentOutputs:vision_tower`. */
  readonly reads?: readonly string[];
  /** A name in `exclusive` may be written by one plugin only. */
  readonly writes?: readonly string[];
  readonly exclusive?: readonly string[];
  /** Components whose trainability the plugin demands. */
  readonly components?: Readonly<Record<string, "frozen" | "train">>;
}

/** What a rule is, for docs and SARIF. */
export interface RuleInfo {
  /** kebab-case, never reused. */
  readonly id: string;
  readonly defaultSeverity: Severity;
  /** One sentence: left against right. */
  readonly summary: string;
  /** Longer text for the docs page, Markdown. */
  readonly docs?: string;
}

/** A rule of the conflict checker. `check` is absent where the plugin reports the findings itself while it works. */
export interface Rule<Context = unknown> extends RuleInfo {
  check?(context: Context): readonly Finding[];
}
