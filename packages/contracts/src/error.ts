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
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}
