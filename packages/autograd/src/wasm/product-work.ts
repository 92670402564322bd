import type { Cut } from "./functions.js";

/** Rows of a piece: as many as stay in the second-level cache while all columns pass by. */
const PIECE_ROWS = 128;
/** Multiply-adds of a piece: some tenths of a millisecond, so that threads end at nearly the same time. */
const PIECE_WORK = 1 << 22;
/** Columns are cut at multiples of so many, so that a number's bits do not depend on the cut. */
const COLUMN_STEP = 8;

/** The numbers of a stack of products `out[s] = a[s] b[s]`, as threads hand them over. Addresses and steps in bytes. */
export interface Product {
  readonly a: number;
  readonly b: number;
  readonly out: number;
  readonly count: number;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly aRow: number;
  readonly aInner: number;
  readonly bInner: number;
  readonly bColumn: number;
  /** Where `inner * 32` bytes per thread are free for packing; 0: no packing. */
  readonly packed: number;
}

const FIELDS = [
  "a",
  "b",
  "out",
  "count",
  "rows",
  "inner",
  "columns",
  "aRow",
  "aInner",
  "bInner",
  "bColumn",
  "packed",
] as const satisfies readonly (keyof Product)[];

/** The numbers in the order in which they are handed over. */
export function productNumbers(product: Product): number[] {
  return FIELDS.map((name) => product[name]);
}

/** The product in pieces of about {@link PIECE_WORK}. */
export function cutProduct(name: "tiles" | "dots", numbers: readonly number[], most: number): Cut {
  const product = productOf(numbers);
  const { inner, aRow, aInner, bInner, bColumn } = product;
  const pieceRows = Math.max(1, Math.min(product.rows, PIECE_ROWS));
  const smallest = Math.max(PIECE_WORK, workOf(product) / most);
  const wanted = Math.ceil(smallest / Math.max(1, pieceRows * inner) / COLUMN_STEP) * COLUMN_STEP;
  const pieceColumns = Math.max(1, Math.min(product.columns, wanted));
  const rowBlocks = Math.ceil(product.rows / pieceRows);
  const columnBlocks = Math.ceil(product.columns / pieceColumns);
  const outRow = 4 * product.columns;
  return {
    total: product.count * rowBlocks * columnBlocks,
    compute(functions, piece, thread) {
      const column = (piece % columnBlocks) * pieceColumns;
      const rest = Math.floor(piece / columnBlocks);
      const row = (rest % rowBlocks) * pieceRows;
      const stack = Math.floor(rest / rowBlocks);
      const a = product.a + 4 * stack * product.rows * inner + row * aRow;
      const b = product.b + 4 * stack * inner * product.columns + column * bColumn;
      const out = product.out + outRow * (stack * product.rows + row) + 4 * column;
      const rows = Math.min(pieceRows, product.rows - row);
      const columns = Math.min(pieceColumns, product.columns - column);
      if (name === "dots") functions.dots(a, b, out, rows, inner, columns, outRow);
      else {
        const packed = product.packed === 0 ? 0 : product.packed + thread * inner * 32;
        functions.tiles(a, b, out, rows, inner, columns, aRow, aInner, bInner, bColumn, outRow, packed);
      }
    },
  };
}

function productOf(numbers: readonly number[]): Product {
  return Object.fromEntries(FIELDS.map((name, index) => [name, numbers[index]])) as unknown as Product;
}

function workOf({ count, rows, inner, columns }: Product): number {
  return count * rows * inner * columns;
}
