/** Every error that Thaw throws on purpose: what, where, what to do, with a stable code. */
export class ThawError extends Error {
  override readonly name = "ThawError";
  /** Stable, never reused, e.g. `THAW_DATA_IMAGE_MISSING`. */
  readonly code: string;
  /** The message's facts as data. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}
