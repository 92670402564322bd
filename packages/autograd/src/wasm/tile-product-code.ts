import type { Code, CodeMode } from "./assembler.js";
import {
  add,
  advance,
  assemble,
  at,
  atLeast,
  countDown,
  either,
  F32,
  f32Add,
  f32Load,
  f32Mul,
  f32Store,
  f32x4MultiplyAdd,
  f32Zero,
  get,
  I32,
  i32,
  indices,
  Locals,
  mul,
  select,
  set,
  strided,
  sub,
  V128,
  v128Load,
  v128Splat,
  v128Store,
  v128Zero,
  when,
  whileLoop,
} from "./assembler.js";

/**
 * Rows of a register tile. Eight columns by four rows keep eight accumulators, two operands and a splat in sixteen
 * registers.
 */
const TILE_ROWS = 4;
/** Rows of `a` that stay in the second-level cache while all columns of `b` pass by. */
const BLOCK_ROWS = 128;
/** Bytes of a packed row of eight columns. */
const PACKED_ROW = 32;

/**
 * Code of `out = a b` for float32 matrices, a tile of 4 rows and 8 columns at a time in SIMD registers, tails in 4
 * columns and 1. Parameters, all i32: addresses of `a`, `b`, `out`; `rows`, `inner`, `columns`; bytes between rows and
 * between inner elements of `a`, between inner elements and between columns of `b`, by which either may be read
 * transposed, and between rows of `out`; address of `inner * 32` bytes into which eight columns of `b` are packed, or
 * 0. Packing is a must where columns of `b` do not lie side by side, and pays where its rows are wide, as those compete
 * for the same cache lines. A number of `out` has the same bits whichever rows and columns are computed beside it, as
 * long as columns are cut at multiples of eight.
 */
export function tileProductCode(mode: CodeMode): Uint8Array<ArrayBuffer> {
  const locals = new Locals();
  const { a, b, out, rows, inner, columns } = locals.integers("a", "b", "out", "rows", "inner", "columns");
  const { aRow, aInner, bInner, bColumn, outRow, packed } = locals.integers(
    "aRow",
    "aInner",
    "bInner",
    "bColumn",
    "outRow",
    "packed",
  );
  const { row, column, blockStart, blockEnd, rest } = locals.integers(
    "row",
    "column",
    "blockStart",
    "blockEnd",
    "rest",
  );
  const { aTile, outTile, left, right, rightStart, rightStep } = locals.integers(
    "aTile",
    "outTile",
    "left",
    "right",
    "rightStart",
    "rightStep",
  );
  const rowOffsets = locals.list(I32, TILE_ROWS);
  const outOffsets = locals.list(I32, TILE_ROWS);
  const sums = locals.list(V128, 2 * TILE_ROWS);
  const scalarSums = locals.list(F32, TILE_ROWS);
  const operands = [locals.declare(V128), locals.declare(V128)];
  const [splat, scalar] = [locals.declare(V128), locals.declare(F32)];

  /** `height` rows and 4 `vectors` columns at the current row and column. */
  const vectorTile = (height: number, vectors: number): Code => {
    const cells = indices(height).flatMap((r) =>
      indices(vectors).map((lane) => ({ r, lane, sum: at(sums, 2 * r + lane) })),
    );
    const step = [
      ...indices(vectors).map((lane) => set(at(operands, lane), v128Load(get(right), 16 * lane))),
      ...indices(height).flatMap((r) => [
        set(splat, v128Splat(strided(left, rowOffsets, r))),
        ...cells
          .filter((cell) => cell.r === r)
          .map(({ lane, sum }) =>
            set(sum, f32x4MultiplyAdd(get(sum), get(splat), get(at(operands, lane)), mode.fused)),
          ),
      ]),
    ];
    return innerLoop(
      cells.map(({ sum }) => set(sum, v128Zero)),
      step,
      cells.map(({ r, lane, sum }) => v128Store(strided(outTile, outOffsets, r), 16 * lane, get(sum))),
    );
  };

  /** `height` rows of one column. */
  const scalarTile = (height: number): Code =>
    innerLoop(
      indices(height).map((r) => set(at(scalarSums, r), f32Zero)),
      [
        set(scalar, f32Load(get(right))),
        ...indices(height).map((r) =>
          set(
            at(scalarSums, r),
            f32Add(get(at(scalarSums, r)), f32Mul(f32Load(strided(left, rowOffsets, r)), get(scalar))),
          ),
        ),
      ],
      indices(height).map((r) => f32Store(strided(outTile, outOffsets, r), get(at(scalarSums, r)))),
    );

  const innerLoop = (reset: readonly Code[], step: readonly Code[], store: readonly Code[]): Code =>
    [
      set(left, get(aTile)),
      set(right, get(rightStart)),
      set(rest, get(inner)),
      ...reset,
      whileLoop(
        get(rest),
        [...step, advance(left, get(aInner)), advance(right, get(rightStep)), countDown(rest)].flat(),
      ),
      ...store,
    ].flat();

  /** All rows of the block for a strip of columns. */
  const strip = (tile: (height: number) => Code): Code => {
    const rowsOf = (height: number): Code =>
      whileLoop(
        atLeast(get(blockEnd), add(get(row), i32(height))),
        [
          tile(height),
          advance(row, i32(height)),
          advance(aTile, mul(get(aRow), i32(height))),
          advance(outTile, mul(get(outRow), i32(height))),
        ].flat(),
      );
    return [
      set(row, get(blockStart)),
      set(aTile, add(get(a), mul(get(aRow), get(row)))),
      set(outTile, add(add(get(out), mul(get(outRow), get(row))), mul(get(column), i32(4)))),
      rowsOf(TILE_ROWS),
      rowsOf(1),
    ].flat();
  };

  const unpacked = [set(rightStart, add(get(b), mul(get(column), get(bColumn)))), set(rightStep, get(bInner))].flat();
  /** Copies `width` columns side by side; `moves` copies those of one inner element from `left` to `right`. */
  const packing = (moves: Code): Code =>
    [
      set(left, get(rightStart)),
      set(right, get(packed)),
      set(rest, get(inner)),
      whileLoop(get(rest), [
        ...moves,
        ...advance(left, get(bInner)),
        ...advance(right, i32(PACKED_ROW)),
        ...countDown(rest),
      ]),
      set(rightStart, get(packed)),
      set(rightStep, i32(PACKED_ROW)),
    ].flat();
  const apart = sub(get(bColumn), i32(4));
  const vectorMoves = [0, 16].flatMap((offset) => v128Store(get(right), offset, v128Load(get(left), offset)));
  const scalarMoves = (width: number): Code =>
    [
      set(aTile, get(left)),
      ...indices(width).map((lane) => [
        ...f32Store(get(right), f32Load(get(aTile)), 4 * lane),
        ...advance(aTile, get(bColumn)),
      ]),
    ].flat();
  const stripsOf = (width: number, body: Code): Code =>
    whileLoop(atLeast(get(columns), add(get(column), i32(width))), [
      ...unpacked,
      ...body,
      ...advance(column, i32(width)),
    ]);

  const block = [
    set(blockEnd, add(get(blockStart), i32(BLOCK_ROWS))),
    set(blockEnd, select(get(rows), get(blockEnd), atLeast(get(blockEnd), get(rows)))),
    set(column, i32(0)),
    stripsOf(8, [
      ...when(get(packed), either(apart, packing(scalarMoves(8)), packing(vectorMoves))),
      ...strip((height) => vectorTile(height, 2)),
    ]),
    stripsOf(4, [...when(apart, packing(scalarMoves(4))), ...strip((height) => vectorTile(height, 1))]),
    stripsOf(1, strip(scalarTile)),
    set(blockStart, get(blockEnd)),
  ].flat();
  const body = [
    ...rowOffsets.map((local, index) => set(local, mul(get(aRow), i32(index)))),
    ...outOffsets.map((local, index) => set(local, mul(get(outRow), i32(index)))),
    set(blockStart, i32(0)),
    whileLoop(sub(get(rows), get(blockStart)), block),
  ].flat();
  return assemble(locals, 12, body, mode);
}
