import type { ElementwiseName } from "./elementwise-code.js";
import type { Cut } from "./functions.js";

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

/** The work in pieces. */
export function cutElementwise(name: ElementwiseName, numbers: readonly number[], most: number): Cut {
  const [a, b, out, rows, length, bRow, isSingle] = numbers as [number, number, number, number, number, number, number];
  const size = Math.max(PIECE_LENGTH, Math.ceil((rows * length) / most) * 2);
  // Parts of a row where it is longer than a piece, else whole rows
  const perRow = Math.max(1, Math.ceil(length / size));
  const together = perRow > 1 ? 1 : Math.max(1, Math.floor(size / Math.max(1, length)));
  return {
    total: Math.ceil(rows / together) * perRow,
    compute(functions, piece) {
      const row = Math.floor(piece / perRow) * together;
      const start = perRow > 1 ? (piece % perRow) * size : 0;
      const offset = 4 * (row * length + start);
      functions[name](
        a + offset,
        b + row * bRow + (isSingle === 1 ? 0 : 4 * start),
        out + offset,
        Math.min(together, rows - row),
        Math.min(size, length - start),
        bRow,
        isSingle,
      );
    },
  };
}
