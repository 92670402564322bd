import { z } from "zod";

/** Steps between histograms where a config only says that there are to be some. */
const HISTOGRAMS_EVERY = 10;

/** How often gradients and weights are counted. */
export const histograms = z
  .union([z.boolean(), z.number().int().positive()])
  .default(false)
  .describe(
    "Histograms of the gradients and weights of every parameter that trains: true for every tenth step, or the " +
      "number of steps between them. They read each of these once.",
  );

/** Steps between histograms; undefined for none. */
export function histogramsEverySteps({
  histograms: wanted,
}: {
  readonly histograms: boolean | number;
}): number | undefined {
  return wanted === true ? HISTOGRAMS_EVERY : wanted === false ? undefined : wanted;
}
