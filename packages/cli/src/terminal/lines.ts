import { createInterface } from "node:readline";
import type { Terminal } from "./terminal.js";

/** Lines of the input, as they are typed or piped. */
export interface Lines extends AsyncIterable<string> {
  /** True where a person types them: then there is a prompt, and lines can be edited. */
  readonly isTyped: boolean;
  /** Asks for a line. */
  prompt(): void;
  /** No more is read. */
  close(): void;
}

/**
 * Reads the terminal's input line by line; begin to iterate at once, or lines are lost. `onInterrupt` is told each
 * Ctrl-C until `close`, which then ends nothing by itself.
 */
export function readLines(terminal: Terminal, prompt: string, onInterrupt: () => void): Lines {
  const { input } = terminal;
  const isTyped = input.isTTY === true && terminal.isInteractive;
  const lines = createInterface({ input, terminal: isTyped, prompt, ...(isTyped ? { output: process.stderr } : {}) });
  let isOpen = true;
  lines.on("close", () => {
    isOpen = false;
  });
  // A terminal that edits lines hands Ctrl-C to readline; elsewhere it is a signal
  lines.on("SIGINT", onInterrupt);
  process.on("SIGINT", onInterrupt);
  return {
    isTyped,
    prompt: () => {
      if (isTyped && isOpen) lines.prompt();
    },
    close: () => {
      process.off("SIGINT", onInterrupt);
      lines.close();
    },
    [Symbol.asyncIterator]: () => lines[Symbol.asyncIterator](),
  };
}
