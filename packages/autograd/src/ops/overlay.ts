import type { Value } from "../engine/value.js";

/** What a matrix is made of whose base stays as it is while some of its rows are others. */
export interface Overlay {
  /** `[rows, columns]`, without gradient. */
  readonly base: Value;
  /** Which rows are replaced, each once. */
  readonly rows: Int32Array;
  /** `[replaced, columns]`, with gradient. */
  readonly values: Value;
}

const overlays = new WeakMap<Value, Overlay>();

/** Remembers of what a value was made, so that ops that know of it never make the gradient of the whole matrix. */
export function rememberOverlay(value: Value, overlay: Overlay): void {
  overlays.set(value, overlay);
}

/** Of what a value was made: undefined if of nothing, or if its base has a gradient as well. */
export function overlayOf(value: Value): Overlay | undefined {
  return overlays.get(value);
}
