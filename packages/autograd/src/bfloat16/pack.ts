/**
 * Rounds to bfloat16, to nearest even, two a word: the bytes of a bfloat16 array, seen as half as many float32.
 * `isExact`: nothing was rounded.
 */
export function packBfloat16(values: Float32Array): {
  readonly words: Float32Array<ArrayBuffer>;
  readonly isExact: boolean;
} {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length + (values.length % 2));
  let lost = 0;
  for (let index = 0; index < values.length; index += 1) {
    const word = source[index] as number;
    lost |= word & 0xffff;
    const isNotANumber = (word & 0x7fffffff) > 0x7f800000;
    bits[index] = isNotANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return { words: new Float32Array(bits.buffer), isExact: lost === 0 };
}

/** Undoes {@link packBfloat16}, exactly. `length`: how many numbers there are, default two a word. */
export function unpackBfloat16(words: Float32Array, length: number = words.length * 2): Float32Array<ArrayBuffer> {
  const bits = new Uint16Array(words.buffer, words.byteOffset, length);
  const wide = new Uint32Array(length);
  for (let index = 0; index < length; index += 1) wide[index] = (bits[index] as number) << 16;
  return new Float32Array(wide.buffer);
}

/** Values as bfloat16 would keep them. */
export function roundToBfloat16(values: Float32Array): Float32Array<ArrayBuffer> {
  return unpackBfloat16(packBfloat16(values).words, values.length);
}
