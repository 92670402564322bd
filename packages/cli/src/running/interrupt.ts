import type { Terminal } from "../terminal/terminal.js";

/** State of Ctrl-C in a command. */
export interface Interrupts {
  readonly isInterrupted: () => boolean;
  /** Puts the process's handlers back. */
  stop(): void;
}

/** First SIGINT or SIGTERM: `onFirst`. A second one ends the process at once with code 130. */
export function watchInterrupts(
  terminal: Terminal,
  onFirst: () => void,
  message = "Stopping after this step; a second Ctrl-C ends at once.",
): Interrupts {
  let count = 0;
  const handle = (): void => {
    count += 1;
    if (count > 1) process.exit(130);
    onFirst();
    terminal.err(message);
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    isInterrupted: () => count > 0,
    stop: () => {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
