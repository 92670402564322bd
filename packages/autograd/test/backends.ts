import "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { MatmulStrategy } from "../src/index.js";

/** Backends that the ops are tested on, each with the strategies that a tape may use there. */
export const SETUPS: readonly { readonly backend: "cpu" | "wasm"; readonly matmul: MatmulStrategy }[] = [
  { backend: "cpu", matmul: "flags" },
  { backend: "cpu", matmul: "plain2d" },
  { backend: "wasm", matmul: "flags" },
  { backend: "wasm", matmul: "plain2d" },
];

const distribution = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json"));
setWasmPaths(`${distribution}/dist/`);
setThreadsCount(1);

/** Makes a backend the current one. */
export async function useBackend(name: "cpu" | "wasm"): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`The backend ${name} does not start.`);
  await tf.ready();
}
