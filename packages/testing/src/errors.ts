import { ThawError } from "@thaw/core";

/** Code under test left tensors behind, or freed some that were not its own. */
export function tensorsLeaked(before: number, after: number, where: string): ThawError {
  const difference = after - before;
  const text =
    difference > 0
      ? `${difference} more tensors than before`
      : `${-difference} fewer tensors than before: something that is still owned elsewhere was freed`;
  return new ThawError(
    "THAW_TESTING_TENSORS_LEAKED",
    `There are ${text} (${before}, then ${after}). In ${where}. Dispose what the code makes and keeps, or make ` +
      "it inside tf.tidy.",
    { details: { before, after, where } },
  );
}

/** A check of the conformance suite that a plugin does not meet. `check` is its stable name. */
export function notConforming(check: string, plugin: string, found: string, advice: string): ThawError {
  return new ThawError("THAW_TESTING_NOT_CONFORMING", `${found} In plugin ${plugin}, check "${check}". ${advice}`, {
    details: { check, plugin },
  });
}

/** A parameter was asked for that the tiny model does not have. */
export function parameterMissing(name: string, known: readonly string[]): ThawError {
  return new ThawError(
    "THAW_TESTING_PARAMETER_MISSING",
    `The tiny model has no parameter ${name}. In Model.load. It has: ${known.join(", ")}.`,
    { details: { name } },
  );
}
