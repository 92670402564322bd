import { operate } from "../engine/operation.js";
import { tapeOf } from "../engine/tape.js";
import type { Value } from "../engine/value.js";

/** The same tensor as a value without gradient: nothing before it trains through it. Copies nothing. */
export function stopGradient(x: Value): Value {
  if (!x.needsGradient) return x;
  return tapeOf("stopGradient", x).noGrad(() =>
    operate("stopGradient", [x], (_, tape) => tape.kernels.share(x.tensor)),
  );
}

/** Says that the caller reads these values no more: each is freed as soon as backward needs it no more either. */
export function release(...values: readonly Value[]): void {
  for (const value of values) tapeOf("release", value).release(value);
}
