import { causeText, ThawError, thrownAt } from "@thaw/contracts";
import { CommanderError } from "commander";
import { createProgram, type Outcome } from "./program/program.js";
import { watchProcess } from "./running/ended-process.js";
import { errorLine, processTerminal, type Terminal } from "./terminal/terminal.js";

/** Errors that are a matter of how the command was called. */
const USAGE_CODES: readonly string[] = ["THAW_CLI_OPTION", "THAW_CLI_NO_EVALUATION_DATA"];

/**
 * Exit codes: 0 done, 1 findings or errors, 2 wrong use of the command line, 130 stopped by Ctrl-C (129, 131, 143 by
 * SIGHUP, SIGQUIT, SIGTERM).
 */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Runs the `thaw` command as this process: its exit code, and what others do to the process, are told. */
export async function runProcess(args: readonly string[]): Promise<void> {
  const terminal = processTerminal();
  const stopWatching = watchProcess(terminal, (error) => errorText(error, terminal, wantsStacks(args)));
  const code = await main(args, terminal);
  stopWatching();
  process.exitCode = code;
}

/** Runs the `thaw` command; returns its exit code. Never throws. */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const outcome: Outcome = { code: EXIT.done, advice: [] };
  try {
    const program = await createProgram(args, terminal, outcome);
    await program.parseAsync([...args], { from: "user" });
    return outcome.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    terminal.err(errorText(error, terminal, wantsStacks(args)));
    for (const line of outcome.advice) terminal.err(line);
    return error instanceof ThawError && USAGE_CODES.includes(error.code) ? EXIT.usage : EXIT.failed;
  }
}

function wantsStacks(args: readonly string[]): boolean {
  return args.includes("--debug") || (process.env["THAW_DEBUG"] ?? "") !== "";
}

/** What was wrong, where, what to do, and the code; the stack only when asked for, or for what is our bug. */
export function errorText(error: unknown, terminal: Terminal, isDebug: boolean): string {
  const { errorColors: colors } = terminal;
  if (error instanceof ThawError) {
    const lines = [errorLine(error, terminal)];
    if (isDebug) lines.push(stackOf(error));
    return lines.join("\n");
  }
  const place = thrownAt(error);
  const advice = isDebug
    ? stackOf(error)
    : "This is a mistake in Thaw or a plugin: run the command again with --debug for the stack, and report it.";
  return `${colors.red("error")} ${causeText(error)}.${place === undefined ? "" : ` In ${place}.`}\n${advice}`;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause) || JSON.stringify(error.cause)}`;
  return (error.stack ?? error.message) + cause;
}
