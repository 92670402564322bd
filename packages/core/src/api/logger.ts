/** One level of a logger: `(fields, message)` or `(message)`, as pino has it. */
export interface LogMethod {
  (fields: object, message?: string): void;
  (message: string): void;
}

/** The part of pino's `Logger` that Thaw uses; any pino instance fits. */
export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
}

const ignore: LogMethod = () => {};

/** Drops everything; what a trainer uses when it is given no logger. */
export const silentLogger: Logger = Object.freeze({ debug: ignore, info: ignore, warn: ignore, error: ignore });
