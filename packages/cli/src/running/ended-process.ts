import { runningTap } from "@thaw/core";
import type { Terminal } from "../terminal/terminal.js";

/** Exit codes of a command that a signal ends at once. */
const BY_SIGNAL: readonly number[] = [129, 130, 131, 143];

/**
 * Says who ended the process where that is neither the command nor a signal: a plugin, or a library that it calls,
 * which calls `process.exit`. A scheduler would take its exit code 0 for a run that is done; it becomes 1.
 * Returns what ends the watch.
 */
export function watchExit(terminal: Terminal): () => void {
  const onExit = (code: number): void => {
    if (BY_SIGNAL.includes(code)) return;
    if (code === 0) process.exitCode = 1;
    const tap = runningTap();
    const where = tap === undefined ? "" : `, in hook ${tap.hook} of the plugin ${tap.plugin}`;
    terminal.err(
      `error The process was ended by process.exit(${code}) before the run was done${where}. Throw an error there ` +
        "instead: the run then saves its state.",
    );
  };
  process.on("exit", onExit);
  return () => void process.off("exit", onExit);
}
