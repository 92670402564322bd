import * as tf from "@tensorflow/tfjs-core";
import { type Backend, backendInUse, backendIsInUse, type Precision, tensorflowBfloat16 } from "@thaw/core";
import { type Addon, type AddonOptions, registerInstalledAddon, registerPackageAddon } from "./addon.js";
import { freeCardBytes } from "./card-memory.js";
import { startWithoutErrorHandlers } from "./error-handlers.js";
import { tensorflowMemory } from "../device-memory.js";
import { backendAlreadyLoaded } from "../errors.js";
import { addonSourcesHash } from "../install/addons.js";
import { useNativeKernels } from "../kernels.js";
import type { Location } from "../locate.js";
import type { BackendEntry } from "../table.js";
import { registerWasm } from "./wasm.js";
import { explainReads, registerWebGpu } from "./webgpu.js";

/** What holds TensorFlow's library in this process, if anything. */
let loadedAddon: { readonly name: string; readonly addon: Addon } | undefined;

/** Of the card, before TensorFlow took any. */
let freeBytes: number | undefined;

/** Options that backends obey. */
export interface LoadOptions extends AddonOptions {
  /** Threads of the WASM backend; absent: one per processor. */
  readonly threads?: number;
  /** Whether WebGPU may compute on the processor. */
  readonly fallbackAdapter?: boolean;
}

/** Backend and options that were made current last. */
let currentMode: string | undefined;

/**
 * Loads a backend and makes it current.
 * @throws THAW_CORE_BACKEND_IN_USE while a run computes with another one; THAW_BACKEND_ALREADY_LOADED for the second of
 * `native` and `gpu` in one process; whatever the backend itself throws.
 */
export async function loadBackend(
  entry: BackendEntry,
  location: Location,
  options: LoadOptions = { tensorFloat32: false },
): Promise<Backend> {
  const mode = `${entry.engineName} ${JSON.stringify(options)}`;
  const inUse = backendInUse();
  // Making another one current, or switching its modes, would take it away from the runs that compute with it
  if (inUse !== undefined && (inUse !== entry.engineName || (inUse === "tensorflow" && mode !== currentMode)))
    throw backendIsInUse(entry.name, inUse === entry.engineName ? `${inUse} in another mode` : inUse);
  currentMode = mode;
  if (entry.name === "gpu" && loadedAddon === undefined) freeBytes = await freeCardBytes();
  const { description, isCurrent } = await startWithoutErrorHandlers(async () => ({
    description: await register(entry, location, options),
    isCurrent: await tf.setBackend(entry.engineName),
  }));
  if (!isCurrent) throw new Error(`TensorFlow.js refused to make "${entry.engineName}" current.`);
  await tf.ready();
  if (entry.name === "webgpu") explainReads(tf.backend());
  // The cpu backend advertises tfjs-node on its first use in Node; Thaw has its own advice.
  if (entry.name === "cpu") (tf.backend() as { firstUse?: boolean }).firstUse = false;
  const bfloat16 = entry.capabilities.bfloat16 === "no" ? null : tensorflowBfloat16();
  const precisions: readonly Precision[] = [
    ...(entry.capabilities.tensorFloat32 ? ["tf32" as const] : []),
    ...(bfloat16 === null ? [] : ["bfloat16" as const]),
  ];
  return {
    name: entry.engineName,
    description,
    matmul: entry.capabilities.matmul,
    joinBytes: entry.capabilities.joinBytes,
    precisions,
    ...(bfloat16 === null ? {} : { bfloat16 }),
    ...(entry.engineName === "tensorflow" ? { upload } : {}),
    ...(hasOwnMemory() ? { hasOwnMemory: true } : {}),
    ...(hasOwnMemory() && freeBytes !== undefined ? { freeBytes } : {}),
  };
}

/** Whether the current backend's tensors are a card's. */
function hasOwnMemory(): boolean {
  return (
    tf.getBackend() === "webgpu" || (tf.backend() as { readonly isUsingGpuDevice?: boolean }).isUsingGpuDevice === true
  );
}

/**
 * TensorFlow.js' backend for TensorFlow hands values over, which copies them, when an operation first reads a tensor.
 */
function upload(tensor: tf.Tensor): void {
  (tf.backend() as unknown as { getInputTensorIds(tensors: readonly tf.Tensor[]): number[] }).getInputTensorIds([
    tensor,
  ]);
}

async function register(entry: BackendEntry, location: Location, options: LoadOptions): Promise<string> {
  switch (entry.name) {
    case "wasm":
      return await registerWasm(options.threads);
    case "cpu":
      await import("@tensorflow/tfjs-backend-cpu");
      return "cpu: plain JavaScript, one thread";
    case "webgpu":
      return await registerWebGpu(location, options.fallbackAdapter === true);
    default:
      return await registerTensorFlow(entry, location, options);
  }
}

async function registerTensorFlow(entry: BackendEntry, location: Location, options: AddonOptions): Promise<string> {
  const isCurrent = location.kind !== "installed" || location.manifest.sources === addonSourcesHash();
  loadedAddon ??= {
    name: entry.name,
    addon:
      location.kind === "installed"
        ? registerInstalledAddon(location.folder, entry.name as "native" | "gpu", isCurrent)
        : await registerPackageAddon(location.folders[entry.packages[0] as string] as string),
  };
  const { binding, setTensorFloat32, kernelSet, functions } = loadedAddon.addon;
  const isOnGpu = binding.isUsingGpuDevice();
  // The GPU's build without a GPU is a processor's build.
  if (loadedAddon.name !== entry.name && (entry.name === "gpu" || isOnGpu))
    throw backendAlreadyLoaded({ backend: entry.name, loaded: loadedAddon.name });
  if (entry.name === "gpu" && !isOnGpu) throw new Error("TensorFlow sees no CUDA device.");
  if (entry.name === "native" && isOnGpu)
    throw new Error("the library that is installed is the GPU's and runs there; the processor's is not installed.");
  setTensorFloat32?.(options.tensorFloat32 === true);
  const kernels = options.kernels === false ? undefined : kernelSet;
  useNativeKernels(kernels);
  const isCompiled = functions !== undefined && (options.functions ?? isOnGpu);
  if (functions !== undefined) functions.isSelective = options.functions === undefined;
  Object.assign(tf.findBackend("tensorflow"), {
    tensorFunctions: isCompiled ? functions : undefined,
    deviceMemory: isOnGpu && location.kind === "installed" && isCurrent ? tensorflowMemory() : undefined,
  });
  const parts = [
    kernels === undefined ? "" : ` with Thaw's kernels for ${kernels}`,
    isOnGpu ? ` on a GPU, ${options.tensorFloat32 ? "TensorFloat-32" : "float32"}` : "",
    isCompiled ? ", compiled functions" : isOnGpu ? ", operation by operation" : "",
    isCurrent ? "" : `; compiled for another version of Thaw, so without what makes it fast: run ${entry.command}`,
  ];
  return `${entry.name}: TensorFlow ${binding.TF_Version}${parts.join("")}`;
}
