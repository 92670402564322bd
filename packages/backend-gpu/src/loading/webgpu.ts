import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
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
