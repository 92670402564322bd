import { blockCount, type QuantizedLayout, type QuantizedValues, sectionsOf } from "./layout.js";

/** The scales of a matrix, one for each block. */
export function scalesOf({ words, layout }: QuantizedValues): Float32Array {
  const { scales, nested } = sectionsOf(layout);
  const count = blockCount(layout);
  if (nested === undefined) return words.subarray(scales.begin, scales.begin + count);
  const bytes = new Uint8Array(words.buffer, words.byteOffset + 4 * scales.begin, count);
  const offset = words[nested.offset.begin]!;
  return Float32Array.from(
    bytes,
    (byte, index) =>
      Math.fround(
        words[nested.table.begin + byte]! * words[nested.scales.begin + Math.floor(index / layout.nestedBlock!)]!,
      ) + offset,
  );
}

/** The numbers that a quantised matrix stands for, row-major, into `target` where it is given. */
export function dequantize(
  values: QuantizedValues,
  target: Float32Array<ArrayBuffer> = new Float32Array(values.layout.shape[0] * values.layout.shape[1]),
): Float32Array<ArrayBuffer> {
  const { words, layout } = values;
  const { codes, table } = sectionsOf(layout);
  const bytes = new Uint8Array(words.buffer, words.byteOffset + 4 * codes.begin, 4 * codes.words);
  const numbers = words.subarray(table.begin, table.begin + table.words);
  const scales = scalesOf(values);
  if (layout.bits === 8) expandBytes(bytes, numbers, scales, layout, target);
  else expandHalves(bytes, numbers, scales, layout, target);
  return target;
}

function expandBytes(
  bytes: Uint8Array,
  numbers: Float32Array,
  scales: Float32Array,
  { block }: QuantizedLayout,
  target: Float32Array,
): void {
  for (let number = 0; number < scales.length; number++) {
    const end = Math.min((number + 1) * block, target.length);
    const scale = scales[number]!;
    for (let index = number * block; index < end; index++) target[index] = numbers[bytes[index]!]! * scale;
  }
}

function expandHalves(
  bytes: Uint8Array,
  numbers: Float32Array,
  scales: Float32Array,
  { block }: QuantizedLayout,
  target: Float32Array,
): void {
  for (let number = 0; number < scales.length; number++) {
    const end = Math.min((number + 1) * block, target.length);
    const scale = scales[number]!;
    // Blocks begin at whole bytes. What is written beyond an odd end is not kept.
    for (let index = number * block; index < end; index += 2) {
      const pair = 2 * bytes[index >> 1]!;
      target[index] = numbers[pair]! * scale;
      target[index + 1] = numbers[pair + 1]! * scale;
    }
  }
}

/** Whether a scale of a matrix is not finite: the block that it belongs to, or -1. */
export function firstBadScale(values: QuantizedValues): number {
  return scalesOf(values).findIndex((scale) => !Number.isFinite(scale));
}
