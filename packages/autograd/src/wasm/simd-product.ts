import { sizeOf } from "../kernels/broadcast.js";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { dotProductCode } from "./dot-product-code.js";
import { tileProductCode } from "./tile-product-code.js";

/** The part of the WebAssembly API in use; neither ES2023 nor Node's types declare it. */
declare const WebAssembly: {
  readonly Memory: new () => object;
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

/**
 * From this many rows on packing eight columns pays; from this many columns on it does so also where they lie side by
 * side already.
 */
const PACK_FROM_ROWS = 24;
const PACK_FROM_COLUMNS = 192;
const KERNEL_NAME = "ThawProduct";

/** What this kernel uses of `@tensorflow/tfjs-backend-wasm` 4.22 (src/backend_wasm.ts). */
interface WasmBackend {
  readonly wasm: { readonly asm?: { readonly memory?: unknown } };
  readonly dataIdMap: { get(dataId: object): { readonly memoryOffset: number } };
  makeOutput(shape: number[], dtype: "float32"): TensorInfo;
  disposeData(dataId: object): boolean;
}

/** Both functions take addresses of `a`, `b` and the output, then counts; see their code's comments. */
interface Functions {
  /** Tiles of four rows by eight columns. */
  tiles(...parameters: number[]): void;
  /** Dot products of rows with rows, for few rows. */
  dots(...parameters: number[]): void;
}

const functions = new WeakMap<object, Functions | null>();

/**
 * The functions on the memory of the current backend; null if that backend is not WASM or its memory cannot be shared.
 */
function current(): Functions | null {
  if (tf.getBackend() !== "wasm") return null;
  const backend = tf.backend() as unknown as WasmBackend;
  let found = functions.get(backend);
  if (found === undefined) {
    found = instantiate(backend);
    functions.set(backend, found);
    if (found !== null && tf.getKernel(KERNEL_NAME, "wasm") === undefined) {
      tf.registerKernel({
        kernelName: KERNEL_NAME,
        backendName: "wasm",
        kernelFunc: compute as unknown as tf.KernelFunc,
      });
    }
  }
  return found;
}

function instantiate(backend: WasmBackend): Functions | null {
  const memory = backend.wasm.asm?.memory;
  if (!(memory instanceof WebAssembly.Memory)) return null;
  const load = (code: Uint8Array<ArrayBuffer>) =>
    new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } }).exports["run"] as Functions["tiles"];
  // Fused multiply-add is twice as fast; Node 20 does not know it yet. Without SIMD, or with a memory that is shared
  // between threads, neither loads.
  for (const fused of [true, false]) {
    try {
      return { tiles: load(tileProductCode(fused)), dots: load(dotProductCode(fused)) };
    } catch {
      continue;
    }
  }
  return null;
}

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
  const count = sizeOf(leading);
  const output = backend.makeOutput([...leading, rows, columns], "float32");
  const address = (info: TensorInfo): number => backend.dataIdMap.get(info.dataId).memoryOffset;
  const [left, right, target] = [address(a), address(b), address(output)];
  const loaded = functions.get(backend);
  if (attrs.transposeB && !attrs.transposeA && rows < PACK_FROM_ROWS) {
    loaded?.dots(left, right, target, count, rows, inner, columns);
    return output;
  }
  const steps = [
    ...(attrs.transposeA ? [4, 4 * rows] : [4 * inner, 4]),
    ...(attrs.transposeB ? [4, 4 * inner] : [4 * columns, 4]),
  ];
  const packed =
    attrs.transposeB || (rows >= PACK_FROM_ROWS && columns >= PACK_FROM_COLUMNS)
      ? backend.makeOutput([inner, 8], "float32")
      : null;
  loaded?.tiles(left, right, target, count, rows, inner, columns, ...steps, packed === null ? 0 : address(packed));
  if (packed !== null) backend.disposeData(packed.dataId);
  return output;
}

/** Switch for tests of what serves without the kernel. @internal */
export const simd = { isEnabled: true };

/** Whether {@link simdProduct} works on the current backend. */
export function simdAvailable(): boolean {
  return simd.isEnabled && current() !== null;
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
