import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readsLater } from "../errors.js";
import type { Location } from "../locate.js";

interface Adapter {
  readonly info?: { readonly description?: string; readonly isFallbackAdapter?: boolean };
}

interface Gpu {
  requestAdapter(options: object): Promise<Adapter | null>;
}

/**
 * Dawn, once for the process: TensorFlow.js keeps a device of the first one, and a Dawn that nobody refers to any more
 * is freed under its device, which ends the process at the next event.
 */
let started: Promise<Adapter> | undefined;

/**
 * Starts WebGPU and registers TensorFlow.js' backend for it; says what computes. An adapter that computes on the
 * processor is taken with `takesFallback` alone.
 */
export async function registerWebGpu(location: Location, takesFallback: boolean): Promise<string> {
  if (location.kind !== "packages") throw new Error("WebGPU comes from npm packages alone.");
  started ??= start(location.folders["webgpu"] as string).catch((cause: unknown) => {
    started = undefined;
    throw cause;
  });
  const { info } = await started;
  const isFallback = info?.isFallbackAdapter === true;
  if (isFallback && !takesFallback)
    throw new Error(
      `WebGPU finds an adapter that computes on the processor only (${info?.description ?? "a fallback"}); ` +
        "backend: { name: webgpu, fallback_adapter: true } takes it.",
    );
  await import(entryUrl(location.folders["@tensorflow/tfjs-backend-webgpu"] as string));
  return `webgpu: ${info?.description ?? "an adapter"}${isFallback ? ", which computes on the processor" : ""}`;
}

interface Reading {
  readSync(dataId: object): unknown;
  hasReadSyncWarned?: boolean;
}
/** Backends whose reads explain themselves. */
const explained = new WeakSet<Reading>();

/**
 * What is on the card is read at once by way of a canvas, which Node has not: says so, and by whom it is wanted. Values
 * that are on the host anyway are read as ever.
 */
export function explainReads(given: unknown): void {
  const backend = given as Reading;
  if (explained.has(backend)) return;
  explained.add(backend);
  const read = backend.readSync.bind(backend);
  // TensorFlow.js' advice is for browsers
  backend.hasReadSyncWarned = true;
  backend.readSync = (dataId) => {
    try {
      return read(dataId);
    } catch (cause) {
      throw readsLater(cause);
    }
  };
}

/** Dawn must be in `navigator.gpu` before TensorFlow.js' backend is imported, and stays there. */
async function start(folder: string): Promise<Adapter> {
  const dawn = (await import(entryUrl(folder))) as { create(flags: string[]): Gpu; globals: object };
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("WebGPU finds no adapter.");
  const holder = globalThis as { navigator?: object };
  if (holder.navigator === undefined) Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  Object.defineProperty(holder.navigator, "gpu", { value: gpu, configurable: true });
  return adapter;
}

function entryUrl(folder: string): string {
  return pathToFileURL(createRequire(join(folder, "package.json")).resolve(folder)).href;
}
