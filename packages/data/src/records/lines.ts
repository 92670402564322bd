import { type ByteFile, piecesOf } from "./byte-file.js";
import { Places } from "./places.js";

const NEWLINE = 0x0a;
/** Bytes of blanks: tab to carriage return, and the space. */
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** Where the lines of a text lie, without blank ones, and the number of each, from 1. */
export interface LineIndex {
  readonly places: Places;
  numberOf(index: number): number;
}

/** Finds the lines of a text; each byte is looked at once, however long a line is. */
export async function indexLines(file: ByteFile): Promise<LineIndex> {
  const places = new Places();
  /** Of every blank line, how many records lie before it. */
  const blanks: number[] = [];
  let start = 0;
  let offset = 0;
  let hasText = false;
  const end = (at: number): void => {
    if (hasText) places.add(start, at);
    else blanks.push(places.count);
    start = at + 1;
    hasText = false;
  };
  for await (const piece of piecesOf(file)) {
    let from = 0;
    while (from < piece.length) {
      const found = piece.indexOf(NEWLINE, from);
      const until = found < 0 ? piece.length : found;
      for (; !hasText && from < until; from += 1) hasText = !isBlank(piece[from]!);
      if (found >= 0) end(offset + found);
      from = until + 1;
    }
    offset += piece.length;
  }
  if (hasText) places.add(start, offset);
  return { places, numberOf: (index) => index + 1 + countUpTo(blanks, index) };
}

/** How many of ascending numbers are at most `limit`. */
function countUpTo(ascending: readonly number[], limit: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
