/** How positions turn the columns of a head (Su et al., arXiv:2104.09864), in Hugging Face's half-split layout. */
export interface RotaryOptions {
  /** Radians per position of each pair of columns, rounded to float32; `2 * frequencies.length` columns turn. */
  readonly frequencies: Float32Array;
  /** Axis of the positions that turns each pair (M-RoPE: time, row, column). Absent: all pairs follow axis 0. */
  readonly axes?: readonly number[];
  /** Factor on cosines and sines (YaRN's attention factor). Default: 1. */
  readonly scale?: number;
  /**
   * Queries at position `p` are longer by `1 + beta log(1 + floor(p / stretch))`, keys are not (Llama 4, Ministral 3).
   * Where all columns of a head turn.
   */
  readonly queries?: { readonly beta: number; readonly stretch: number };
}

/** Cosines and sines of rotary positions, each `[count, size]`, row-major. */
export interface RotaryTable {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/**
 * `theta^(-2 pair / size)` of `size / 2` pairs, rounded to float32 where `modeling_rope_utils.py` of transformers 5.23
 * rounds them, which matters at large positions.
 */
export function rotaryFrequencies(size: number, theta: number): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, pair) => 1 / Math.fround(theta ** Math.fround((2 * pair) / size)));
}

/**
 * Frequencies of patches that turn by row (axis 0) and column (axis 1), each half of a head's pairs, over the same
 * frequencies: those of half a head. Source: transformers 5.24, `compute_axial_rope_parameters` of Qwen2-VL and GLM-4V.
 */
export function axialRotary(headSize: number, theta: number): RotaryOptions {
  const own = rotaryFrequencies(headSize / 2, theta);
  return {
    frequencies: Float32Array.of(...own, ...own),
    axes: Array.from({ length: headSize / 2 }, (_, pair) => (pair < own.length ? 0 : 1)),
  };
}

/** The factor on queries at a position. */
export function queryLength({ queries }: RotaryOptions, position: number): number {
  return queries === undefined ? 1 : 1 + queries.beta * Math.log(1 + Math.floor(position / queries.stretch));
}

/**
 * Lines for `count` positions from `start`, times `lengthOf` each. Of an axis: pairs that another axis turns are 0
 * there, so that the lines of all axes add up to a row's.
 */
export function rotaryTable(
  start: number,
  count: number,
  { frequencies, axes, scale = 1 }: RotaryOptions,
  axis = 0,
  lengthOf: (position: number) => number = () => 1,
): RotaryTable {
  const half = frequencies.length;
  const cos = new Float32Array(count * 2 * half);
  const sin = new Float32Array(count * 2 * half);
  for (let pair = 0; pair < half; pair++) {
    if ((axes?.[pair] ?? 0) !== axis) continue;
    for (let row = 0; row < count; row++) {
      const angle = Math.fround((start + row) * frequencies[pair]!);
      const at = row * 2 * half + pair;
      const length = scale * lengthOf(start + row);
      cos[at] = cos[at + half] = length * Math.cos(angle);
      sin[at] = sin[at + half] = length * Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** How many axes of positions the options follow. */
export function axisCount({ axes }: RotaryOptions): number {
  return 1 + Math.max(0, ...(axes ?? []));
}
