import type { Session } from "../api/session.js";
import type { TrainerApi } from "../api/trainer-api.js";

/** An option of a command. */
export interface CommandOption {
  /** `--limit <n>`, `--json`, `-q, --quiet`, `--folders <folder...>`; what it gives is named in camelCase: `limit`. */
  readonly flags: string;
  readonly summary: string;
  /** Makes the value of its text; throws a `ThawError` that says what is expected. Without it the text is the value. */
  readonly parse?: (text: string) => unknown;
  /** The only texts that it takes. */
  readonly choices?: readonly string[];
  readonly default?: unknown;
  /** The command is refused without it. */
  readonly isRequired?: boolean;
  /** It may be given several times: a list. */
  readonly isList?: boolean;
}

/** What a command was called with. */
export interface CommandLine<Options> {
  /** As given, in order. */
  readonly arguments: readonly string[];
  readonly options: Options;
}

/** Moves on a terminal, writes a line every few seconds elsewhere. */
export interface CommandProgress {
  /** Begins a stretch of `total` units, `from` of them done; ends the one before. */
  begin(label: string, total: number, from?: number): void;
  /** Units done. */
  advance(done: number): void;
  end(): void;
}

/** A run or checkpoint with its weights in memory. */
export interface OpenRun {
  /** With the plugins of the run's config. */
  readonly trainer: TrainerApi;
  /** What trained is in its place. */
  readonly session: Session;
  close(): Promise<void>;
}

/** How a command ended that a signal ends. */
export interface CommandInterrupts {
  /** Aborted by the first Ctrl-C or another signal. */
  readonly signal: AbortSignal;
  /** What a shell expects of that signal; 0 while none came. */
  exitCode(): number;
  /** Puts the process's handlers back. */
  stop(): void;
}

/** What the command line gives a command. */
export interface CommandContext {
  /** A line of the result, on standard output. */
  out(text: string): void;
  /** A line beside the result, on standard error. */
  err(text: string): void;
  /** Rows below their titles, on standard output. */
  table(
    columns: readonly { readonly title: string; readonly align?: "left" | "right" }[],
    rows: readonly (readonly string[])[],
  ): void;
  /** Colour functions for standard output; off a terminal they return their text. */
  readonly colors: Readonly<Record<"bold" | "dim" | "green" | "red" | "yellow", (text: string) => string>>;
  progress(options?: { readonly isQuiet?: boolean }): Promise<CommandProgress>;
  /** `message` is what is said when the first signal comes. */
  interrupts(message: string): CommandInterrupts;
  /**
   * Opens a run folder, one of its checkpoints, or a checkpoint, as its own config says. `isTrusted`: it may name code;
   * `isJson`: log lines are JSON.
   * @throws THAW_CLI_NOT_A_RUN, THAW_CLI_RUN_NOT_FINISHED, THAW_CONFIG_UNTRUSTED
   */
  open(
    path: string,
    options?: { readonly backend?: string; readonly isTrusted?: boolean; readonly isJson?: boolean },
  ): Promise<OpenRun>;
}

/** Runs a command; gives the exit code: 0 done, 1 errors. */
export type CommandRun<Options = never, Context = CommandContext> = (
  line: CommandLine<Options>,
  context: Context,
) => Promise<number> | number;

/** A command of the command line. */
export interface Command<Options = never, Context = CommandContext> {
  /** Its words: `score`, `backend install`. */
  readonly name: string;
  /** One line of `thaw --help`. */
  readonly summary: string;
  /** `<run> [folder]`, `<file...>`. */
  readonly arguments?: string;
  readonly options?: readonly CommandOption[];
  /** Below the options of its own `--help`: notes and examples. */
  readonly help?: string;
  /** Loads its code, when it is called. Absent for a word that others begin with: `backend`. */
  load?(): Promise<CommandRun<Options, Context>>;
}

declare module "@thaw/contracts" {
  interface Provides {
    /** Commands of `thaw`, by their names. */
    readonly commands?: readonly Command[];
  }
}
