import type { Logger } from "@thaw/core";
import { withoutSecrets } from "@thaw/contracts";
import { visible } from "./visible.js";

/** Levels that `--log-level` takes. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** How a logger writes. */
export interface LogOptions {
  /** One JSON object per line instead of text for people. */
  readonly isJson?: boolean;
  readonly isTerminal?: boolean;
  /** Called before each line, e.g. to clear a progress bar. */
  readonly beforeLine?: () => void;
}

/**
 * pino on standard error: lines for people, or JSON where the command's output is. They go through the process's own
 * stream, which outlives a terminal that is closed or a disk that is full.
 */
export async function createLogger(level: LogLevel, options: LogOptions = {}): Promise<Logger> {
  const { isJson = false, isTerminal = process.stderr.isTTY === true, beforeLine } = options;
  const { pino } = await import("pino");
  const write = (line: string): boolean => (beforeLine?.(), process.stderr.write(withoutSecrets(line)));
  if (isJson) {
    const lines: Logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
    return lines;
  }
  const { prettyFactory } = await import("pino-pretty");
  // Messages are whole sentences; their fields are for machines.
  const text = prettyFactory({
    colorize: isTerminal,
    translateTime: "SYS:HH:MM:ss",
    ignore: "pid,hostname",
    hideObject: level !== "debug",
  });
  const readable: Logger = pino(
    { level, base: null },
    { write: (line: string): boolean => write(visible(text(withoutSecrets(line)))) },
  );
  return readable;
}
