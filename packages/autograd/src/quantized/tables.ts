import { BYTES } from "./layout.js";

/**
 * The 16 numbers of NF4: quantiles of the normal distribution, with zero among them. Source: bitsandbytes 0.50,
 * `functional.py`, `get_4bit_type`.
 */
export const NF4: readonly number[] = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];

/** What a byte of two codes stands for: `[256, 2]`. */
export function pairTable(codes: ArrayLike<number>): Float32Array {
  const table = new Float32Array(2 * BYTES);
  for (let byte = 0; byte < BYTES; byte++) {
    table[2 * byte] = codes[byte >> 4]!;
    table[2 * byte + 1] = codes[byte & 15]!;
  }
  return table;
}

/** Whole numbers of 8 bits with a sign: `[256]`. */
export function signedTable(): Float32Array {
  return Float32Array.from({ length: BYTES }, (_, byte) => (byte < 128 ? byte : byte - BYTES));
}

let dynamic: Float32Array | undefined;

/**
 * The 256 numbers of the dynamic map, ascending: seven decades with twice as many steps in each. Source: bitsandbytes
 * 0.50, `functional.py`, `create_dynamic_map`; Dettmers, arXiv:1511.04561.
 */
export function dynamicTable(): Float32Array {
  dynamic ??= makeDynamicTable();
  return dynamic;
}

function makeDynamicTable(): Float32Array {
  const values = [0, 1];
  for (let exponent = 0; exponent < 7; exponent++) {
    const bounds = evenSteps(0.1, 1, 2 ** exponent + 1);
    const factor = Math.fround(10 ** (exponent - 6));
    for (let index = 0; index + 1 < bounds.length; index++) {
      const mean = Math.fround(Math.fround(bounds[index]! + bounds[index + 1]!) / 2);
      values.push(Math.fround(factor * mean), -Math.fround(factor * mean));
    }
  }
  return Float32Array.from(values).sort();
}

/** PyTorch's `linspace` in float32: from both ends to the middle. */
function evenSteps(start: number, end: number, count: number): Float32Array {
  const step = Math.fround(Math.fround(end - Math.fround(start)) / (count - 1));
  return Float32Array.from({ length: count }, (_, index) =>
    index < count / 2 ? Math.fround(start) + step * index : end - step * (count - 1 - index),
  );
}
