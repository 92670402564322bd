/** Cosines and sines of rotary positions, each `[count, headSize]`, row-major. */
export interface RotaryTable {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/**
 * Rotary positions (Su et al., arXiv:2104.09864) for `count` positions from `start`, in Hugging Face's half-split
 * layout. Frequencies and angles are rounded to float32 where `modeling_rope_utils.py` of transformers 5.23 rounds
 * them, which matters at large positions.
 */
export function rotaryTable(start: number, count: number, headSize: number, theta: number): RotaryTable {
  const half = headSize / 2;
  const cos = new Float32Array(count * headSize);
  const sin = new Float32Array(count * headSize);
  for (let pair = 0; pair < half; pair++) {
    const frequency = Math.fround(1 / Math.fround(theta ** Math.fround((2 * pair) / headSize)));
    for (let row = 0; row < count; row++) {
      const angle = Math.fround((start + row) * frequency);
      const at = row * headSize + pair;
      cos[at] = cos[at + half] = Math.cos(angle);
      sin[at] = sin[at + half] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
