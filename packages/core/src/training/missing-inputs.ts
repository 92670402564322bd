import type { Batch, Segment } from "@thaw/contracts";

/**
 * Inputs that a segment would have read and the batch does not hold (samples of text alone), of those that earlier ones
 * missed as well: what trains may then have no part in the loss, which counts all the same.
 */
export function missingInputs(
  { media }: Batch,
  segments: readonly Segment[],
  earlier?: ReadonlySet<string>,
): ReadonlySet<string> {
  const missing = segments
    .flatMap(({ reads }) => reads)
    .filter((input) => media.every(({ inputs }) => inputs[input] === undefined));
  return new Set(earlier === undefined ? missing : missing.filter((input) => earlier.has(input)));
}
