/**
 * What this package throws on purpose. Same shape as `ThawError` of `@thaw/contracts` (name, code, details), which this
 * package may not import, as contracts' types stand on autograd's; `instanceof ThawError` holds for it.
 */
export class AutogradError extends Error {
  override readonly name = "ThawError";
  /** Stable, never reused, e.g. `THAW_AUTOGRAD_SHAPE`. */
  readonly code: string;
  /** The message's facts as data. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** A value is read after the tape freed it. */
export function valueFreed(name: string, shape: readonly number[]): AutogradError {
  return new AutogradError(
    "THAW_AUTOGRAD_FREED",
    `The value of shape [${shape.join(", ")}] was freed. It was made by ${name}. Return it from the tidy that ` +
      "made it, and read it before backward, release or dispose.",
    { name, shape },
  );
}

/** Values of two tapes, or of none, meet in one op. */
export function notOfOneTape(name: string): AutogradError {
  return new AutogradError(
    "THAW_AUTOGRAD_TAPES",
    `The inputs are not values of one tape. In the op ${name}. Make them with the same tape's parameter, ` +
      "constant or own.",
    { name },
  );
}

/** Shapes or arguments that do not fit an op. */
export function badArgument(
  name: string,
  problem: string,
  advice: string,
  details: Readonly<Record<string, unknown>> = {},
): AutogradError {
  return new AutogradError("THAW_AUTOGRAD_SHAPE", `${problem} In the op ${name}. ${advice}`, { name, ...details });
}

/** The tape is used after `dispose` or `backward` ran. */
export function tapeSpent(what: string): AutogradError {
  return new AutogradError(
    "THAW_AUTOGRAD_TAPE_SPENT",
    `${what} At a tape that was already used up. Make a new tape for each forward and backward pass.`,
    {},
  );
}

/** The same tensor is declared a parameter with and without gradient. */
export function parameterTwice(shape: readonly number[]): AutogradError {
  return new AutogradError(
    "THAW_AUTOGRAD_PARAMETER_TWICE",
    `A tensor of shape [${shape.join(", ")}] is declared once with and once without gradient. At tape.parameter. ` +
      "Declare it once, or wrap the value in stopGradient.",
    { shape },
  );
}
