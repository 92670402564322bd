import type { Code, CodeMode } from "./assembler.js";
import {
  advance,
  and,
  assemble,
  countDown,
  either,
  f32Add,
  f32Load,
  f32Mul,
  f32Store,
  f32Sub,
  f32x4Add,
  f32x4Mul,
  f32x4Sub,
  get,
  i32,
  Locals,
  set,
  shiftRight,
  V128,
  v128Load,
  v128Splat,
  v128Store,
  whileLoop,
} from "./assembler.js";

/** Operations by elements, named as TensorFlow.js names their kernels. */
export const ELEMENTWISE_NAMES = ["Add", "Sub", "Multiply"] as const;
export type ElementwiseName = (typeof ELEMENTWISE_NAMES)[number];

const VECTOR = { Add: f32x4Add, Sub: f32x4Sub, Multiply: f32x4Mul };
const SCALAR = { Add: f32Add, Sub: f32Sub, Multiply: f32Mul };

/**
 * Code of `out[r, i] = a[r, i] op b[r, i]` for float32, four numbers at a time. Parameters, all i32: addresses of `a
 * [rows, length]`, `b`, `out [rows, length]`; `rows`, `length`; bytes from one row of `b` to the next (0: all rows meet
 * the same one); whether `b` has one number per row only. `out` may be `a` or `b`.
 */
export function elementwiseCode(name: ElementwiseName, mode: CodeMode): Uint8Array<ArrayBuffer> {
  const locals = new Locals();
  const { a, b, out, rows, length, bRow, isSingle } = locals.integers(
    "a",
    "b",
    "out",
    "rows",
    "length",
    "bRow",
    "isSingle",
  );
  const { right, rest } = locals.integers("right", "rest");
  const single = locals.declare(V128);
  const [vector, scalar] = [VECTOR[name], SCALAR[name]];

  /** A row; `wide` and `narrow` give the second operand of four numbers and of one, `step` bytes apart per number. */
  const row = (wide: Code, narrow: Code, step: number): Code => {
    const move = (count: number): Code =>
      [
        advance(a, i32(4 * count)),
        advance(out, i32(4 * count)),
        ...(step === 0 ? [] : [advance(right, i32(step * count))]),
        countDown(rest),
      ].flat();
    return [
      set(rest, shiftRight(get(length), i32(2))),
      whileLoop(get(rest), [...v128Store(get(out), 0, vector(v128Load(get(a)), wide)), ...move(4)]),
      set(rest, and(get(length), i32(3))),
      whileLoop(get(rest), [...f32Store(get(out), scalar(f32Load(get(a)), narrow)), ...move(1)]),
    ].flat();
  };

  const body = whileLoop(
    get(rows),
    [
      set(right, get(b)),
      either(
        get(isSingle),
        [...set(single, v128Splat(get(right))), ...row(get(single), f32Load(get(right)), 0)],
        row(v128Load(get(right)), f32Load(get(right)), 4),
      ),
      advance(b, get(bRow)),
      countDown(rows),
    ].flat(),
  );
  return assemble(locals, 7, body, mode);
}
