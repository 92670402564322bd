import type { ElementwiseName } from "./elementwise-code.js";
import type { Functions } from "./functions.js";

/** Numbers of a piece: a tenth of a millisecond. */
const PIECE_LENGTH = 1 << 16;

/** `out[rows, length] = a[rows, length] op b`; addresses and steps in bytes, as in elementwise-code.ts. */
export interface Elementwise {
  readonly a: number;
  readonly b: number;
  readonly out: number;
  readonly rows: number;
  readonly length: number;
  readonly bRow: number;
  readonly isSingle: number;
}

const FIELDS = ["a", "b", "out", "rows", "length", "bRow", "isSingle"] as const satisfies (keyof Elementwise)[];

/** The numbers in the order in which they are handed over. */
export function elementwiseNumbers(work: Elementwise): number[] {
  return FIELDS.map((name) => work[name]);
}

interface Pieces {
  /** Rows of a piece; whole rows where they are shorter than a piece. */
  readonly rows: number;
  /** Numbers of a row of a piece. */
  readonly length: number;
  readonly perRow: number;
  readonly total: number;
}

/** How the work is cut. */
export function elementwisePieces(numbers: readonly number[], most: number): Pieces {
  const [, , , rows, length] = numbers as [number, number, number, number, number];
  const size = Math.max(PIECE_LENGTH, Math.ceil((rows * length) / most) * 2);
  if (length >= size) {
    const perRow = Math.ceil(length / size);
    return { rows: 1, length: size, perRow, total: rows * perRow };
  }
  const together = Math.max(1, Math.floor(size / Math.max(1, length)));
  return { rows: together, length, perRow: 1, total: Math.ceil(rows / together) };
}

/** Computes one piece. */
export function computeElementwise(
  functions: Functions,
  name: ElementwiseName,
  numbers: readonly number[],
  pieces: Pieces,
  piece: number,
): void {
  const [a, b, out, rows, length, bRow, isSingle] = numbers as [number, number, number, number, number, number, number];
  const row = Math.floor(piece / pieces.perRow) * pieces.rows;
  const start = (piece % pieces.perRow) * pieces.length;
  const offset = 4 * (row * length + start);
  functions[name](
    a + offset,
    b + row * bRow + (isSingle === 1 ? 0 : 4 * start),
    out + offset,
    Math.min(pieces.rows, rows - row),
    Math.min(pieces.length, length - start),
    bRow,
    isSingle,
  );
}
