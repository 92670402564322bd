import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ownPackageFolder } from "../locate.js";

/** More than so many threads wait for memory. */
const MOST_THREADS = 16;

/** The shared parts of Node's module, which the backend's code requires, too. */
const threads = createRequire(import.meta.url)("node:worker_threads") as { Worker: unknown };

/**
 * Registers TensorFlow.js' WASM backend, started where it is to multiply on several threads.
 * @param wanted Threads; default: `OMP_NUM_THREADS`, which launchers of several processes set, else one per processor.
 */
export async function registerWasm(wanted?: number): Promise<string> {
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  // `tf.findBackend` would start it
  const started = (): WasmBackend | undefined => tf.engine().registry["wasm"] as WasmBackend | undefined;
  if (started() === undefined) {
    wasm.setWasmPaths(join(ownPackageFolder("@tensorflow/tfjs-backend-wasm"), "dist", "/"));
    const count = wanted ?? defaultThreads();
    if (count > 1 && (await startShared(wasm))) Object.assign(started() as object, { threads: count });
  }
  return describe(started()?.threads ?? 1);
}

/** What Thaw's product reads of the backend (@thaw/autograd, wasm/simd-product.ts). */
interface WasmBackend {
  readonly threads?: number;
}

const describe = (count: number): string => `wasm: WebAssembly, ${count === 1 ? "one thread" : `${count} threads`}`;

function defaultThreads(): number {
  const given = Number(process.env["OMP_NUM_THREADS"]);
  const count = Number.isInteger(given) && given > 0 ? given : availableParallelism();
  return Math.min(MOST_THREADS, count);
}

/**
 * Starts the backend's build whose memory threads share. TensorFlow.js 4.22 does not start it in Node (tfjs issue 3830:
 * its worker's script is a blob, which Node's `Worker` does not take), and needs workers only where its own kernels use
 * several threads. They use one: the products' threads are Thaw's, on the same memory. So its workers are idle ones.
 *
 * @returns Whether it runs; where not, nothing is registered and its other build can be started.
 */
async function startShared(wasm: { setThreadsCount(count: number): void }): Promise<boolean> {
  const { Worker } = threads;
  const global = Object.getOwnPropertyDescriptor(globalThis, "Worker");
  wasm.setThreadsCount(1);
  threads.Worker = IdleWorker;
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", true);
  let runs = false;
  try {
    runs = await tf.setBackend("wasm");
  } finally {
    if (!runs) tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    threads.Worker = Worker;
    // Emscripten puts the workers' class there
    if (global === undefined) Reflect.deleteProperty(globalThis, "Worker");
    else Object.defineProperty(globalThis, "Worker", global);
  }
  return runs;
}

/** What Emscripten does with a worker that never gets work: it is loaded, then kept. */
class IdleWorker {
  onmessage?: (event: { readonly data: object }) => void;

  postMessage({ cmd }: { readonly cmd?: string }): void {
    if (cmd === "load") queueMicrotask(() => this.onmessage?.({ data: { cmd: "loaded" } }));
  }

  on(): void {}
  unref(): void {}
  terminate(): void {}
}
