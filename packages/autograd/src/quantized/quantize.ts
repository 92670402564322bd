import { type FrozenForm, layoutOf, type QuantizedLayout, type QuantizedValues, sectionsOf } from "./layout.js";
import { dynamicTable, NF4, pairTable, signedTable } from "./tables.js";

/** The largest of int8. */
const LARGEST = 127;

/** What a quantised matrix is put together of, as files hold it. */
export interface QuantizedParts {
  /** One code a byte, or two. */
  readonly codes: Uint8Array;
  /** What each byte stands for. */
  readonly table: Float32Array;
  /** Floats, or codes where scales are nested. */
  readonly scales: Float32Array | Uint8Array;
  readonly nested?: { readonly table: Float32Array; readonly scales: Float32Array; readonly offset: number };
}

/** Lays the parts out as one row of words. */
export function joinQuantized(layout: QuantizedLayout, parts: QuantizedParts): QuantizedValues {
  const sections = sectionsOf(layout);
  const words = new Float32Array(sections.words);
  const bytes = new Uint8Array(words.buffer);
  bytes.set(parts.codes, 4 * sections.codes.begin);
  words.set(parts.table, sections.table.begin);
  if (parts.scales instanceof Uint8Array) bytes.set(parts.scales, 4 * sections.scales.begin);
  else words.set(parts.scales, sections.scales.begin);
  if (parts.nested !== undefined && sections.nested !== undefined) {
    words.set(parts.nested.table, sections.nested.table.begin);
    words.set(parts.nested.scales, sections.nested.scales.begin);
    words[sections.nested.offset.begin] = parts.nested.offset;
  }
  return { words, layout };
}

/**
 * Brings finite values, row-major, into a form. `int8`: each row by its largest value, to whole numbers. `nf4`: blocks
 * of 64 by their largest value, to the nearest of NF4's numbers; these scales less their mean in blocks of 256, to the
 * nearest of the dynamic map's. Source: as `QuantizedLayout` says.
 */
export function quantize(form: FrozenForm, values: Float32Array, shape: readonly [number, number]): QuantizedValues {
  const layout = layoutOf(form, shape);
  return form === "int8" ? rowsToInt8(layout, values) : blocksToNf4(layout, values);
}

function rowsToInt8(layout: QuantizedLayout, values: Float32Array): QuantizedValues {
  const [rows, columns] = layout.shape;
  const codes = new Uint8Array(values.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const largest = largestOf(values, row * columns, (row + 1) * columns);
    scales[row] = largest / LARGEST;
    const factor = largest === 0 ? 0 : Math.fround(LARGEST / largest);
    for (let index = row * columns; index < (row + 1) * columns; index++)
      codes[index] = roundHalfToEven(Math.fround(values[index]! * factor));
  }
  return joinQuantized(layout, { codes, table: signedTable(), scales });
}

function blocksToNf4(layout: QuantizedLayout, values: Float32Array): QuantizedValues {
  const { codes, scales } = nearestCodes(values, layout.block, NF4);
  const pairs = new Uint8Array(codes.length / 2);
  for (let index = 0; index < pairs.length; index++) pairs[index] = (codes[2 * index]! << 4) | codes[2 * index + 1]!;
  return joinQuantized(layout, { codes: pairs, table: pairTable(NF4), ...nestedScales(scales, layout.nestedBlock!) });
}

/** Scales in 8 bits: less their mean, by the largest of a block. */
function nestedScales(scales: Float32Array, block: number): Pick<QuantizedParts, "scales" | "nested"> {
  const offset = Math.fround(scales.reduce((sum, scale) => sum + scale, 0) / scales.length);
  const rest = scales.map((scale) => scale - offset);
  const table = dynamicTable();
  const { codes, scales: own } = nearestCodes(rest, block, table);
  return { scales: codes, nested: { table, scales: own, offset } };
}

/** Each block by its largest value, to the nearest of an ascending table: a code for each place of whole blocks. */
function nearestCodes(
  values: Float32Array,
  block: number,
  table: ArrayLike<number>,
): { readonly codes: Uint8Array; readonly scales: Float32Array } {
  const scales = new Float32Array(Math.ceil(values.length / block));
  const codes = new Uint8Array(scales.length * block);
  const bounds = middles(table);
  for (let number = 0; number < scales.length; number++) {
    const [begin, end] = [number * block, Math.min((number + 1) * block, values.length)];
    scales[number] = largestOf(values, begin, end);
    const factor = scales[number] === 0 ? 0 : Math.fround(1 / scales[number]!);
    for (let index = begin; index < end; index++) codes[index] = placeOf(Math.fround(values[index]! * factor), bounds);
  }
  return { codes, scales };
}

function largestOf(values: Float32Array, begin: number, end: number): number {
  let largest = 0;
  for (let index = begin; index < end; index++) {
    const size = Math.abs(values[index]!);
    if (size > largest) largest = size;
  }
  return largest;
}

/** Halfway between neighbours of an ascending table. */
function middles(table: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: table.length - 1 }, (_, index) =>
    Math.fround(Math.fround(table[index]! + table[index + 1]!) / 2),
  );
}

/** How many bounds lie below a value: by halves, as their number is one less than a power of two. */
function placeOf(value: number, bounds: Float32Array): number {
  let place = 0;
  for (let step = (bounds.length + 1) / 2; step >= 1; step /= 2) if (bounds[place + step - 1]! < value) place += step;
  return place;
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}
