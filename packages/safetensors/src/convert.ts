/** Widens bfloat16 bit patterns to float32. Writes into `out` from `offset`. */
export function bfloat16ToFloat32(bits: Uint16Array, out: Float32Array, offset = 0): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let index = 0; index < bits.length; index++) words[offset + index] = bits[index]! << 16;
}

/** Rounds float32 to bfloat16 bit patterns, to nearest even; NaN stays NaN. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    const isNotANumber = (word & 0x7fffffff) > 0x7f800000;
    bits[index] = isNotANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}

let halfTable: Uint32Array | undefined;

/** Widens IEEE half bit patterns to float32 by a table of all 65536. Writes into `out` from `offset`. */
export function float16ToFloat32(bits: Uint16Array, out: Float32Array, offset = 0): void {
  halfTable ??= buildHalfTable();
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let index = 0; index < bits.length; index++) words[offset + index] = halfTable[bits[index]!]!;
}

function buildHalfTable(): Uint32Array {
  const table = new Uint32Array(65536);
  for (let half = 0; half < 65536; half++) {
    const sign = (half >> 15) << 31;
    table[half] = (sign | widenHalfMagnitude(half & 0x7fff)) >>> 0;
  }
  return table;
}

function widenHalfMagnitude(magnitude: number): number {
  const exponent = magnitude >> 10;
  const mantissa = magnitude & 1023;
  if (exponent === 31) return 0x7f800000 | (mantissa << 13);
  if (exponent > 0) return ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return 0;
  const leadingZeros = Math.clz32(mantissa) - 21;
  return ((113 - leadingZeros) << 23) | (((mantissa << leadingZeros) & 1023) << 13);
}
