import "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { MatmulStrategy } from "../src/index.js";
import { simd } from "../src/wasm/simd-product.js";

/** A backend with a strategy that a tape may use there, and whether WASM's own SIMD kernel is in use. */
export interface Setup {
  readonly backend: "cpu" | "wasm";
  readonly matmul: MatmulStrategy;
  readonly simd: boolean;
}

/** What the ops are tested on. */
export const SETUPS: readonly Setup[] = [
  { backend: "cpu", matmul: "flags", simd: false },
  { backend: "cpu", matmul: "plain2d", simd: false },
  { backend: "wasm", matmul: "flags", simd: false },
  { backend: "wasm", matmul: "plain2d", simd: true },
  { backend: "wasm", matmul: "plain2d", simd: false },
];

const distribution = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json"));
setWasmPaths(`${distribution}/dist/`);
setThreadsCount(1);

/** Makes a backend the current one, with or without the SIMD kernel. */
export async function useBackend(name: "cpu" | "wasm", withSimd = true): Promise<void> {
  simd.isEnabled = withSimd;
  if (!(await tf.setBackend(name))) throw new Error(`The backend ${name} does not start.`);
  await tf.ready();
}
