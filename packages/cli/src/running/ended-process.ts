import { runningTap } from "@thaw/contracts";
import type { Terminal } from "../terminal/terminal.js";

/** Exit codes of a command that a signal ends at once. */
const BY_SIGNAL: readonly number[] = [129, 130, 131, 143];
/** Node's exit code where nothing is left to do and a promise is still waited for. */
const NEVER_SETTLED = 13;

/** Takes an error that came from outside of what a command awaits; false where it has no use for it. */
type StrayHandler = (error: unknown) => boolean;

const handlers: StrayHandler[] = [];

/** Lets a command that is able to end in order take the errors that nobody caught. The result ends that. */
export function onStrayError(handler: StrayHandler): () => void {
  handlers.push(handler);
  return () => void handlers.splice(handlers.lastIndexOf(handler), 1);
}

/**
 * Says who ended the process where that is neither the command nor a signal: a plugin, or a library that it calls,
 * which calls `process.exit`. A scheduler would take its exit code 0 for a command that is done; it becomes 1. An error
 * that nobody caught (of a timer, of a promise that nobody awaited) goes to the command, or ends it with a message and
 * code 1. Returns what ends the watch.
 */
export function watchProcess(terminal: Terminal, textOf: (error: unknown) => string): () => void {
  let isOwnEnd = false;
  const onExit = (code: number): void => {
    if (isOwnEnd || BY_SIGNAL.includes(code)) return;
    if (code === 0) process.exitCode = 1;
    const tap = runningTap();
    const where = tap === undefined ? "" : `, in hook ${tap.hook} of the plugin ${tap.plugin}`;
    terminal.err(
      code === NEVER_SETTLED
        ? `error The command waits for a promise that never settles${where}. Resolve or reject it there.`
        : `error The process was ended by process.exit(${code}) before the command was done${where}. Throw an error ` +
            "there instead: a run then saves its state.",
    );
  };
  const onError = (error: unknown): void => {
    const isTaken = handlers.length > 0 && handlers.at(-1)!(error);
    if (isTaken) return;
    terminal.err(textOf(error));
    isOwnEnd = true;
    process.exit(1);
  };
  process.on("exit", onExit);
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
  return () => {
    process.off("exit", onExit);
    process.off("uncaughtException", onError);
    process.off("unhandledRejection", onError);
  };
}
