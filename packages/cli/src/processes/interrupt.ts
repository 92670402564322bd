import type { Terminal } from "../terminal/terminal.js";

/** Signals that end a command in order, with the exit code that a shell expects of each: 128 and its number. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 } as const;
type Signal = keyof typeof SIGNALS;

/** How people call what they did. */
const NAMES: Partial<Record<Signal, string>> = { SIGINT: "Ctrl-C", SIGHUP: "the end of the terminal (SIGHUP)" };

/** State of the signals in a command. */
export interface Interrupts {
  readonly isInterrupted: () => boolean;
  /** What ended it, for people; undefined while nothing did. */
  readonly reason: () => string | undefined;
  /** Of the signal that came first; 0 while none came. */
  readonly exitCode: () => number;
  /** Ends the command as Ctrl-C would, for a reason of another kind. */
  ask(reason: string): void;
  /** Puts the process's handlers back. */
  stop(): void;
}

/**
 * The first SIGINT, SIGTERM, SIGHUP or SIGQUIT: `onFirst`. A later Ctrl-C ends the process at once. Other signals may
 * come twice for one cause (of a shell and of the system where a terminal closes, of a scheduler to a process and its
 * group): those are not taken for impatience.
 */
export function watchInterrupts(
  terminal: Terminal,
  onFirst: (reason: string) => void,
  message = "Stopping after this step; another Ctrl-C ends at once.",
): Interrupts {
  let first: { readonly reason: string; readonly exitCode: number } | undefined;
  const begin = (reason: string, exitCode: number): void => {
    first = { reason, exitCode };
    onFirst(reason);
    terminal.err(message);
  };
  const handlers = (Object.keys(SIGNALS) as Signal[]).map((signal) => {
    const handle = (): void => {
      const isLater = first !== undefined;
      if (isLater && (signal === "SIGINT" || signal === "SIGQUIT")) process.exit(SIGNALS[signal]);
      if (!isLater) begin(NAMES[signal] ?? signal, SIGNALS[signal]);
    };
    process.on(signal, handle);
    return [signal, handle] as const;
  });
  return {
    isInterrupted: () => first !== undefined,
    reason: () => first?.reason,
    exitCode: () => first?.exitCode ?? 0,
    ask: (reason) => {
      if (first === undefined) begin(reason, SIGNALS.SIGINT);
    },
    stop: () => {
      for (const [signal, handle] of handlers) process.off(signal, handle);
    },
  };
}
