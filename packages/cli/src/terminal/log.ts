import type { Logger } from "@thaw/core";

/** Levels that `--log-level` takes. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** How a logger writes. */
export interface LogOptions {
  readonly isTerminal?: boolean;
  /** Called before each line, e.g. to clear a progress bar. */
  readonly beforeLine?: () => void;
}

/**
 * pino on standard error: lines for people on a terminal, JSON elsewhere. Written synchronously, so nothing is lost at
 * exit.
 */
export async function createLogger(level: LogLevel, options: LogOptions = {}): Promise<Logger> {
  const { isTerminal = process.stderr.isTTY === true, beforeLine } = options;
  const { pino } = await import("pino");
  if (!isTerminal) {
    const plain: Logger = pino(
      { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ dest: 2, sync: true }),
    );
    return plain;
  }
  const { default: pretty } = await import("pino-pretty");
  // Messages are whole sentences; their fields are for machines.
  const stream = pretty({
    destination: 2,
    sync: true,
    colorize: true,
    translateTime: "SYS:HH:MM:ss",
    ignore: "pid,hostname",
    hideObject: level !== "debug",
  });
  const write = stream.write.bind(stream);
  const lines = { write: (line: string): boolean => (beforeLine?.(), write(line)) };
  const readable: Logger = pino({ level, base: null }, lines);
  return readable;
}
