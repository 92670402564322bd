import { fileURLToPath } from "node:url";
import { cutWords } from "./text.js";

/** Every error that Thaw throws on purpose: what, where, what to do, with a stable code. */
export class ThawError extends Error {
  override readonly name = "ThawError";
  /** Stable, never reused, e.g. `THAW_DATA_IMAGE_MISSING`. */
  readonly code: string;
  /** The message's facts as data. */
  readonly details: Readonly<Record<string, unknown>>;

  /**
   * Also true for errors of another copy of this package and of autograd, which imports nothing: the name and a code
   * decide.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return (
      value instanceof Error && value.name === "ThawError" && typeof (value as { code?: unknown }).code === "string"
    );
  }

  constructor(
    code: string,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(cutWords(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/**
 * What an error says as part of another one's sentence: without its full stop, and of an error of Thaw's that has a
 * cause, that cause: its place and advice are told once.
 */
export function causeText(cause: unknown): string {
  if (cause instanceof ThawError && cause.cause !== undefined) return causeText(cause.cause);
  return (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, "");
}

/**
 * Where an error was thrown, as `file:line:column`: the first line of its stack that is of neither Node nor an
 * installed package, else the first that is not of Node. Undefined where it has none.
 */
export function thrownAt(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const places = [...stack.matchAll(/^\s+at (?:.*\()?((?:file:\/\/|\/|[A-Za-z]:\\)[^()\n]*?):(\d+):(\d+)\)?$/gm)].map(
    ([, file, line, column]) => `${file!.startsWith("file:") ? fileURLToPath(file!) : file!}:${line}:${column}`,
  );
  return places.find((place) => !/[\\/]node_modules[\\/]/.test(place)) ?? places[0];
}
