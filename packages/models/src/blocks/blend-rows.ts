import { add, gatherRows, mul, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { tensor2d } from "@tensorflow/tfjs-core";

/** One summand of each row that is made: which row it takes, and its factor. */
export interface RowShare {
  readonly rows: Int32Array;
  /** Absent: 1 for all. */
  readonly factors?: Float32Array;
}

/** Sums of rows of `x [rows, width]` times factors: one row per entry of the shares, `[entries, width]`. */
export function blendRows(x: Value, [first, ...others]: readonly [RowShare, ...RowShare[]], scope: Scope): Value {
  const share = ({ rows, factors }: RowShare): Value => {
    const taken = gatherRows(x, rows);
    return factors === undefined ? taken : mul(taken, scope.own(tensor2d(factors, [factors.length, 1])));
  };
  return others.reduce((sum, other) => add(sum, share(other)), share(first));
}

/** Between which two places of a line each place of another line lies, and how near to the second. */
export interface LinearPlaces {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly nearness: Float32Array;
}

/**
 * Where `outputs` places lie on `inputs` ones, corners not aligned, without antialiasing, in float32: what
 * `torch.nn.functional.interpolate` does (torch 2.15, `UpSample.h`, `area_pixel_compute_source_index`).
 */
export function linearPlaces(inputs: number, outputs: number): LinearPlaces {
  const step = Math.fround(inputs / outputs);
  const at = Float32Array.from({ length: outputs }, (_, place) =>
    Math.max(0, Math.fround(Math.fround(step * Math.fround(place + 0.5)) - 0.5)),
  );
  const first = Int32Array.from(at, (place) => Math.min(inputs - 1, Math.trunc(place)));
  return {
    first,
    second: first.map((place) => Math.min(inputs - 1, place + 1)),
    nearness: at.map((place, index) => place - first[index]!),
  };
}
