import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { compileFunctions, instantiateFunctions, isMemory } from "./functions.js";
import { startTeam, type Team } from "./team.js";

/** What Thaw uses of `@tensorflow/tfjs-backend-wasm` 4.22 (src/backend_wasm.ts). */
export interface WasmBackend {
  /** `wasmMemory` is there where threads share it. */
  readonly wasm: { readonly asm?: { readonly memory?: unknown }; readonly wasmMemory?: unknown };
  readonly dataIdMap: { get(dataId: object): { readonly memoryOffset: number } };
  /** Threads that compute where memory is shared; set by whoever starts the backend, before its first product. */
  readonly threads?: number;
  makeOutput(shape: number[], dtype: "float32"): TensorInfo;
  disposeData(dataId: object): boolean;
}

const teams = new WeakMap<object, Team | null>();

/** The team on the memory of the current backend; null if that backend is not WASM or has no SIMD. */
export function currentTeam(): Team | null {
  return tf.getBackend() === "wasm" ? teamOf(tf.backend() as unknown as WasmBackend) : null;
}

/** The team on a backend's memory, started where it is asked for first; null without SIMD. */
export function teamOf(backend: WasmBackend): Team | null {
  let found = teams.get(backend);
  if (found === undefined) {
    found = start(backend);
    teams.set(backend, found);
  }
  return found;
}

/** Where a tensor's numbers lie in the memory, in bytes. */
export function addressOf(backend: WasmBackend, { dataId }: TensorInfo): number {
  return backend.dataIdMap.get(dataId).memoryOffset;
}

function start({ wasm, threads = 1 }: WasmBackend): Team | null {
  const memory = wasm.wasmMemory ?? wasm.asm?.memory;
  if (!isMemory(memory)) return null;
  const isShared = memory.buffer instanceof SharedArrayBuffer;
  const modules = compileFunctions(isShared);
  if (modules === null) return null;
  return startTeam(memory, modules, instantiateFunctions(modules, memory), isShared ? threads : 1);
}
