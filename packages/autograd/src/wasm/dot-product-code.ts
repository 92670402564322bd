import type { Code, CodeMode } from "./assembler.js";
import {
  add,
  advance,
  and,
  assemble,
  at,
  atLeast,
  countDown,
  F32,
  f32Add,
  f32Load,
  f32Mul,
  f32Store,
  f32x4Lane,
  f32x4MultiplyAdd,
  get,
  I32,
  i32,
  indices,
  Locals,
  mul,
  select,
  set,
  shiftRight,
  strided,
  sub,
  V128,
  v128Load,
  v128Zero,
  whileLoop,
} from "./assembler.js";

/** Rows of `a` that stay in the second-level cache while all rows of `b` pass by. */
const BLOCK_ROWS = 64;
const TILE_ROWS = 4;

/**
 * Code of `out = a transpose(b)` for float32 matrices: dot products of rows, four numbers at a time, in tiles of 4 rows
 * by 2 columns, last rows in tiles of 1 by 4. Parameters, all i32: addresses of `a [rows, inner]`, `b [columns,
 * inner]`, `out`; `rows`, `inner`, `columns`; bytes between rows of `out`. A number of `out` has the same bits
 * whichever rows and columns are computed beside it.
 */
export function dotProductCode(mode: CodeMode): Uint8Array<ArrayBuffer> {
  const locals = new Locals();
  const { a, b, out, rows, inner, columns, outBytes } = locals.integers(
    "a",
    "b",
    "out",
    "rows",
    "inner",
    "columns",
    "outBytes",
  );
  const { row, column, blockEnd, fullRows, walk, rest } = locals.integers(
    "row",
    "column",
    "blockEnd",
    "fullRows",
    "walk",
    "rest",
  );
  const { aTile, bTile, outTile, left, right, innerBytes } = locals.integers(
    "aTile",
    "bTile",
    "outTile",
    "left",
    "right",
    "innerBytes",
  );
  const strides = locals.list(I32, 4);
  const outStrides = locals.list(I32, 4);
  const sums = locals.list(V128, 8);
  const scalarSums = locals.list(F32, 8);
  const lefts = locals.list(V128, 4);
  const rights = locals.list(V128, 4);

  /** Dot products of `height` rows at `aTile` with `width` rows of `b` at `bTile`, stored at `outTile`. */
  const tile = (height: number, width: number): Code => {
    const cells = indices(height).flatMap((r) => indices(width).map((c) => ({ r, c, index: r * width + c })));
    const vectorStep = [
      ...indices(height).map((r) => set(at(lefts, r), v128Load(strided(left, strides, r)))),
      ...indices(width).map((c) => set(at(rights, c), v128Load(strided(right, strides, c)))),
      ...cells.map(({ r, c, index }) =>
        set(at(sums, index), f32x4MultiplyAdd(get(at(sums, index)), get(at(lefts, r)), get(at(rights, c)), mode.fused)),
      ),
      advance(left, i32(16)),
      advance(right, i32(16)),
      countDown(rest),
    ].flat();
    const tailStep = [
      ...cells.map(({ r, c, index }) =>
        set(
          at(scalarSums, index),
          f32Add(
            get(at(scalarSums, index)),
            f32Mul(f32Load(strided(left, strides, r)), f32Load(strided(right, strides, c))),
          ),
        ),
      ),
      advance(left, i32(4)),
      advance(right, i32(4)),
      countDown(rest),
    ].flat();
    const lane = (index: number, which: number): Code => f32x4Lane(get(at(sums, index)), which);
    return [
      set(left, get(aTile)),
      set(right, get(bTile)),
      ...cells.map(({ index }) => set(at(sums, index), v128Zero)),
      set(rest, shiftRight(get(inner), i32(2))),
      whileLoop(get(rest), vectorStep),
      ...cells.map(({ index }) =>
        set(
          at(scalarSums, index),
          f32Add(f32Add(lane(index, 0), lane(index, 1)), f32Add(lane(index, 2), lane(index, 3))),
        ),
      ),
      set(rest, and(get(inner), i32(3))),
      whileLoop(get(rest), tailStep),
      ...cells.map(({ r, c, index }) => f32Store(strided(outTile, outStrides, r), get(at(scalarSums, index)), 4 * c)),
    ].flat();
  };

  /** Columns of `width` as long as they fit, each with `body` at its `bTile`. */
  const columnsOf = (width: number, body: Code): Code =>
    whileLoop(atLeast(get(columns), add(get(column), i32(width))), [
      ...body,
      ...advance(column, i32(width)),
      ...advance(bTile, mul(get(innerBytes), i32(width))),
    ]);
  const startColumns = [set(column, i32(0)), set(bTile, get(b))].flat();
  const toRow = (from: Code): Code =>
    [
      set(aTile, add(get(a), mul(from, get(innerBytes)))),
      set(outTile, add(add(get(out), mul(from, get(outBytes))), mul(get(column), i32(4)))),
    ].flat();

  /** All row tiles of the block for the current columns; `row` is the block's first row. */
  const blockRows = (width: number): Code => {
    const step = [
      tile(TILE_ROWS, width),
      advance(walk, i32(TILE_ROWS)),
      advance(aTile, mul(get(innerBytes), i32(TILE_ROWS))),
      advance(outTile, mul(get(outBytes), i32(TILE_ROWS))),
    ].flat();
    return [...toRow(get(row)), ...set(walk, get(row)), ...whileLoop(sub(get(blockEnd), get(walk)), step)];
  };

  const body = [
    set(innerBytes, mul(get(inner), i32(4))),
    set(fullRows, and(get(rows), i32(-TILE_ROWS))),
    ...strides.map((local, index) => set(local, mul(get(innerBytes), i32(index)))),
    ...outStrides.map((local, index) => set(local, mul(get(outBytes), i32(index)))),
    set(row, i32(0)),
    whileLoop(
      sub(get(fullRows), get(row)),
      [
        set(blockEnd, add(get(row), i32(BLOCK_ROWS))),
        set(blockEnd, select(get(fullRows), get(blockEnd), atLeast(get(blockEnd), get(fullRows)))),
        startColumns,
        columnsOf(2, blockRows(2)),
        columnsOf(1, blockRows(1)),
        set(row, get(blockEnd)),
      ].flat(),
    ),
    whileLoop(
      sub(get(rows), get(row)),
      [
        startColumns,
        columnsOf(4, [...toRow(get(row)), ...tile(1, 4)]),
        columnsOf(1, [...toRow(get(row)), ...tile(1, 1)]),
        advance(row, i32(1)),
      ].flat(),
    ),
  ].flat();
  return assemble(locals, 7, body, mode);
}
