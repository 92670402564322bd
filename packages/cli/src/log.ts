import type { Logger } from "@thaw/core";

/** Levels that `--log-level` takes. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** pino on standard error: lines for people on a terminal, JSON elsewhere. Written synchronously, so nothing is lost at exit. */
export async function createLogger(level: LogLevel, isTerminal = process.stderr.isTTY === true): Promise<Logger> {
  const { pino } = await import("pino");
  if (!isTerminal) {
    const plain: Logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));
    return plain;
  }
  const { default: pretty } = await import("pino-pretty");
  const readable: Logger = pino({ level, base: null }, pretty({ destination: 2, sync: true, colorize: true, translateTime: "SYS:HH:MM:ss", ignore: "pid,hostname" }));
  return readable;
}
