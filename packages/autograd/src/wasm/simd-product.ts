import { sizeOf } from "../kernels/broadcast.js";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { addressOf, currentTeam, teamOf, type WasmBackend } from "./backend-team.js";
import { useTeamByElements } from "./elementwise.js";
import { productNumbers } from "./product-work.js";
import type { Team } from "./team.js";

/**
 * From this many rows on packing eight columns pays; from this many columns on it does so also where they lie side by
 * side already.
 */
const PACK_FROM_ROWS = 24;
const PACK_FROM_COLUMNS = 192;
const KERNEL_NAME = "ThawProduct";

/** Switch for tests of what serves without the kernel. @internal */
export const simd = { isEnabled: true };

function compute({
  inputs,
  backend,
  attrs,
}: {
  inputs: { a: TensorInfo; b: TensorInfo };
  backend: WasmBackend;
  attrs: { transposeA: boolean; transposeB: boolean };
}): TensorInfo {
  const { a, b } = inputs;
  const rank = a.shape.length;
  const [rows, inner] = (
    attrs.transposeA ? [a.shape[rank - 1], a.shape[rank - 2]] : [a.shape[rank - 2], a.shape[rank - 1]]
  ) as [number, number];
  const columns = b.shape[attrs.transposeB ? rank - 2 : rank - 1] as number;
  const leading = a.shape.slice(0, -2);
  const output = backend.makeOutput([...leading, rows, columns], "float32");
  const team = teamOf(backend) as Team;
  const dots = attrs.transposeB && !attrs.transposeA && rows < PACK_FROM_ROWS;
  const packed =
    !dots && (attrs.transposeB || (rows >= PACK_FROM_ROWS && columns >= PACK_FROM_COLUMNS))
      ? backend.makeOutput([team.threads, inner, 8], "float32")
      : null;
  const [aRow, aInner] = attrs.transposeA ? [4, 4 * rows] : [4 * inner, 4];
  const [bInner, bColumn] = attrs.transposeB ? [4, 4 * inner] : [4 * columns, 4];
  const numbers = productNumbers({
    a: addressOf(backend, a),
    b: addressOf(backend, b),
    out: addressOf(backend, output),
    count: sizeOf(leading),
    rows,
    inner,
    columns,
    aRow,
    aInner,
    bInner,
    bColumn,
    packed: packed === null ? 0 : addressOf(backend, packed),
  });
  team.compute({ name: dots ? "dots" : "tiles", numbers });
  if (packed !== null) backend.disposeData(packed.dataId);
  return output;
}

/** Whether {@link simdProduct} works on the current backend. */
export function simdAvailable(): boolean {
  if (!simd.isEnabled) return false;
  const team = currentTeam();
  if (team === null) return false;
  if (tf.getKernel(KERNEL_NAME, "wasm") === undefined) {
    tf.registerKernel({
      kernelName: KERNEL_NAME,
      backendName: "wasm",
      kernelFunc: compute as unknown as tf.KernelFunc,
    });
    if (team.threads > 1) useTeamByElements();
  }
  return true;
}

/**
 * `op(a) op(b)` over the last two axes of float32 stacks with equal leading axes, `op` the transpose where asked, on
 * WASM: TensorFlow.js' own kernel runs batched or transposed products there at a tenth of this speed. Null where it is
 * not available.
 */
export function simdProduct(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor | null {
  if (!simdAvailable()) return null;
  return tf.engine().runKernel(KERNEL_NAME, { a, b }, { transposeA, transposeB }) as Tensor;
}
