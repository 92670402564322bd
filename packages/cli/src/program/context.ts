import type { Command, CommandContext } from "@thaw/core";
import { table } from "../render/text.js";
import { watchInterrupts } from "../processes/interrupt.js";
import type { Terminal } from "../terminal/terminal.js";

/** What the command line gives its own commands. */
export interface HostContext extends CommandContext {
  readonly terminal: Terminal;
  /** A line to print below an error. */
  readonly advise: (line: string) => void;
  /** All commands: its own, and those of plugins that the config here names. */
  readonly commands: () => Promise<readonly Pick<AnyCommand, "name" | "summary" | "options">[]>;
}

/** A command, whatever it is given. */
type AnyCommand = Command<never, HostContext>;

/** A command of the command line itself, which is given its terminal whole. */
export type OwnCommand = Command<never, HostContext>;

/** What commands may ask of the command line; what few of them need is loaded when they ask for it. */
export function hostContext(
  terminal: Terminal,
  { advise, commands }: Pick<HostContext, "advise" | "commands">,
): HostContext {
  return {
    terminal,
    advise,
    commands,
    out: (text) => terminal.out(text),
    err: (text) => terminal.err(text),
    colors: terminal.colors,
    table(columns, rows) {
      for (const line of table(columns, rows, { width: terminal.width, dim: terminal.colors.dim })) terminal.out(line);
    },
    async progress({ isQuiet = false } = {}) {
      const { createProgress, silentProgress } = await import("../terminal/progress.js");
      return isQuiet ? silentProgress() : createProgress(terminal);
    },
    interrupts(message) {
      const controller = new AbortController();
      const first = watchInterrupts(terminal, () => controller.abort(), message);
      return { signal: controller.signal, exitCode: first.exitCode, stop: () => first.stop() };
    },
    async open(path, options = {}) {
      const { openRun } = await import("../running/open-run.js");
      return openRun(path, { ...options, terminal });
    },
  };
}
