import { Readable } from "node:stream";
import type { ThawError } from "@thaw/contracts";
import pc from "picocolors";
import { visible } from "./visible.js";

/** Colour functions; they return their text unchanged off a terminal. */
export type Colors = ReturnType<typeof pc.createColors>;

/**
 * Where a command writes and reads. Results go to `out`, everything else to `err`; control characters are shown, not
 * obeyed.
 */
export interface Terminal {
  out(text: string): void;
  /** As `out`, and the line goes on. */
  write(text: string): void;
  err(text: string): void;
  /** For `out`. */
  readonly colors: Colors;
  /** For `err`. */
  readonly errorColors: Colors;
  /** True if a person watches `err`: progress bars move. */
  readonly isInteractive: boolean;
  /** What is typed or piped in. */
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Columns of `out`; 100 where there is no terminal. */
  readonly width: number;
}

/** An error as people read it: what was wrong, where, what to do, and the code. */
export function errorLine(error: ThawError, { errorColors: colors }: Pick<Terminal, "errorColors">): string {
  return `${colors.red("error")} ${error.message} ${colors.dim(`[${error.code}]`)}`;
}

/** The process's own terminal. Colours follow NO_COLOR, FORCE_COLOR and whether the stream is a terminal. */
export function processTerminal(): Terminal {
  outliveReaders();
  return {
    out: (text) => void process.stdout.write(`${visible(text)}\n`),
    write: (text) => void process.stdout.write(visible(text)),
    err: (text) => void process.stderr.write(`${visible(text)}\n`),
    colors: pc.createColors(wantsColor(process.stdout.isTTY)),
    errorColors: pc.createColors(wantsColor(process.stderr.isTTY)),
    isInteractive: process.stderr.isTTY === true && process.env["CI"] === undefined,
    get input() {
      return process.stdin;
    },
    width: Math.max(60, Math.min(process.stdout.columns ?? 100, 140)),
  };
}

/** Errors of writing to nobody: a reader that left (`thaw plan | head`), a terminal that was closed. */
const NOBODY = ["EPIPE", "EIO", "ENXIO", "EBADF", "ECONNRESET", "ERR_STREAM_DESTROYED"];

/**
 * Output that cannot be written ends the output, not the run: what is written after that goes nowhere. Where somebody
 * waits for it (a file on a full disk) the command fails in the end, and says so.
 */
function outliveReaders(): void {
  let isBroken = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", ({ code = "", message }: NodeJS.ErrnoException) => {
      if (NOBODY.includes(code) || isBroken) return;
      isBroken = true;
      process.on("exit", () => {
        process.exitCode ||= 1;
      });
      process.stderr.write(`error The output could not be written: ${message}. Make room where it goes.\n`);
    });
  }
}

function wantsColor(isTerminal: boolean | undefined): boolean {
  if ((process.env["NO_COLOR"] ?? "") !== "") return false;
  const forced = process.env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0";
  return isTerminal === true && process.env["TERM"] !== "dumb";
}

/** A terminal that keeps what is written and reads `input`, without colours; for tests. */
export function memoryTerminal(
  width = 100,
  input = "",
): Terminal & { readonly outText: () => string; readonly errText: () => string } {
  const [out, err]: [string[], string[]] = [[], []];
  let begun = "";
  const colors = pc.createColors(false);
  return {
    out: (text) => {
      out.push(begun + visible(text));
      begun = "";
    },
    write: (text) => {
      begun += visible(text);
    },
    err: (text) => void err.push(visible(text)),
    colors,
    errorColors: colors,
    isInteractive: false,
    input: Readable.from([input]),
    width,
    outText: () => [...out, ...(begun === "" ? [] : [begun])].join("\n"),
    errText: () => err.join("\n"),
  };
}
