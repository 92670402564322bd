/**
 * How numbers of a frozen matrix are kept in 4 or 8 bits. The values of a block share a scale; a number is an entry of
 * a table, which its code picks, times the scale of its block. All of it lies in one row of 32-bit words, so that one
 * tensor holds a matrix: codes, table, scales. Source: bitsandbytes 0.50, `functional.py` (`quantize_4bit`,
 * `quantize_blockwise`, `QuantState`), and QLoRA (Dettmers et al., arXiv:2305.14314, section 3).
 */
export interface QuantizedLayout {
  readonly shape: readonly [rows: number, columns: number];
  /** Of a code: 8 are a whole number with a sign; two of 4 share a byte, the first in its upper half. */
  readonly bits: 4 | 8;
  /** Values that share a scale, in row-major order. */
  readonly block: number;
  /** Scales that are kept in 8 bits themselves share one of their own, so many at a time. Absent: they are floats. */
  readonly nestedBlock?: number;
}

/** The forms that matrices are brought into; files may hold `fp4` beside them. */
export const FROZEN_FORMS = ["int8", "nf4"] as const;
export type FrozenForm = (typeof FROZEN_FORMS)[number];

/** A quantised matrix on the host. */
export interface QuantizedValues {
  /** Floats by name only: bits of codes lie among them. */
  readonly words: Float32Array<ArrayBuffer>;
  readonly layout: QuantizedLayout;
}

/** A stretch of words, or of the bytes in them. */
export interface Section {
  readonly begin: number;
  readonly words: number;
}

/** Where the parts of a matrix lie among its words. */
export interface Sections {
  readonly codes: Section;
  /** `[256, codes of a byte]`: what each byte stands for. */
  readonly table: Section;
  /** Floats, or codes of 8 bits. */
  readonly scales: Section;
  /** Of nested scales: what each byte stands for, their own scales, and one number that is added to all. */
  readonly nested?: { readonly table: Section; readonly scales: Section; readonly offset: Section };
  /** All of it. */
  readonly words: number;
}

/** What a byte can be. */
export const BYTES = 256;

/** Blocks of a matrix; the last may be shorter than the others. */
export function blockCount({ shape: [rows, columns], block }: QuantizedLayout): number {
  return Math.ceil((rows * columns) / block);
}

/** Codes and scales are laid out for whole blocks, each part for whole words. */
export function sectionsOf(layout: QuantizedLayout): Sections {
  let next = 0;
  const take = (words: number): Section => {
    const section = { begin: next, words };
    next += words;
    return section;
  };
  const blocks = blockCount(layout);
  const codes = take(Math.ceil((blocks * layout.block * layout.bits) / 32));
  const table = take(BYTES * (8 / layout.bits));
  if (layout.nestedBlock === undefined) return { codes, table, scales: take(blocks), words: next };
  const nestedBlocks = Math.ceil(blocks / layout.nestedBlock);
  const scales = take(Math.ceil((nestedBlocks * layout.nestedBlock) / 4));
  const nested = { table: take(BYTES), scales: take(nestedBlocks), offset: take(1) };
  return { codes, table, scales, nested, words: next };
}

/** How a matrix of that shape is laid out in that form: rows of 8 bits, or blocks of 64 of 4 with nested scales. */
export function layoutOf(form: FrozenForm, shape: readonly [number, number]): QuantizedLayout {
  return form === "int8" ? { shape, bits: 8, block: shape[1] } : { shape, bits: 4, block: 64, nestedBlock: BYTES };
}

/** Bytes of a matrix that is laid out so. */
export function quantizedBytes(layout: QuantizedLayout): number {
  return 4 * sectionsOf(layout).words;
}
