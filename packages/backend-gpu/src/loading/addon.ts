import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { totalmem } from "node:os";
import { join } from "node:path";
import {
  type AddFunction,
  type CompiledCache,
  CompiledFunctions,
  describeCards,
  type FunctionBackend,
  openCompiledCache,
} from "../functions/index.js";
import { addonSourcesHash } from "../install/addons.js";
import { TENSORFLOW_VERSION } from "../install/recipe.js";
import { hasXlaTools, XLA_FOLDER } from "../install/xla.js";
import { loadNativeKernels } from "../kernels.js";

/** The parts of the addon that Thaw asks. */
export interface TensorFlowBinding {
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
}

/** Thaw's own switches in the library, compiled beside the addon (native/thaw_controls.cc). */
interface TensorFlowControls {
  /** What is set already stays. */
  setEnvironment(name: string, value: string): void;
  setTensorFloat32(enabled: boolean): void;
  /** Leaves of the library's lines on standard error those that end the process; the rest comes back as statuses. */
  muteErrors(): void;
}

/** A loaded library. */
export interface Addon {
  readonly binding: TensorFlowBinding;
  /** Absent in a user's npm package, whose library keeps its own default. */
  readonly setTensorFloat32?: (enabled: boolean) => void;
  /** Instruction set of Thaw's own kernels, where they are there and the processor computes. */
  readonly kernelSet?: string;
  /**
   * Absent in an installation by another version of Thaw, on a GPU for which XLA's tools were not found, and in a
   * user's npm package.
   */
  readonly functions?: CompiledFunctions;
}

/** How the library is to run. */
export interface AddonOptions {
  /** Matrix products of float32 with 10 bits of mantissa on GPUs that can: several times faster, about 1e-3 off. */
  readonly tensorFloat32: boolean;
  /** False: TensorFlow's own operations alone, without Thaw's kernels for the processor. Default: true. */
  readonly kernels?: boolean;
  /**
   * True: functions of many operations, which XLA compiles, whatever that takes. False: none. Default: on a GPU, where
   * they are worth their time.
   */
  readonly functions?: boolean;
}

/** What the library reads from its environment; a user's own settings win. */
const LIBRARY_ENVIRONMENT: Readonly<Record<string, string>> = {
  // Only errors on standard error.
  TF_CPP_MIN_LOG_LEVEL: "2",
  // GPU memory is taken as it is needed.
  TF_FORCE_GPU_ALLOW_GROWTH: "true",
  // oneDNN's products also on processors without AVX-512, where TensorFlow leaves them off: batched and transposed ones
  // gain 15 to 100%.
  TF_ENABLE_ONEDNN_OPTS: "1",
  // An allocator that uses again what is free: a step's peak is 12% lower than with malloc, at the same speed. It may
  // take all memory that is there.
  TF_CPU_ALLOCATOR_USE_BFC: "true",
  TF_CPU_BFC_MEM_LIMIT_IN_MB: String(Math.floor(totalmem() / 2 ** 20)),
};

/**
 * For XLA, which compiles functions: where NVIDIA's device library and assembler are, and no products by Triton, whose
 * choice among candidates takes minutes. Products by cuBLASLt (`--xla_gpu_enable_cublaslt`) fail in XLA's CUDA graphs
 * for want of a workspace, so that whole layers ran as single operations.
 */
const xlaFlags = (folder: string): string =>
  `--xla_gpu_cuda_data_dir=${join(folder, XLA_FOLDER)} --xla_gpu_enable_triton_gemm=false`;

/**
 * Key under which the stand-in for `@tensorflow/tfjs` in an installed folder finds the one tfjs-core of this process.
 */
export const TFJS_CORE_KEY = Symbol.for("thaw.tfjs-core");

const NAMES_OF_THE_ADDON_PACKAGE = { native: "@tensorflow/tfjs-node", gpu: "@tensorflow/tfjs-node-gpu" } as const;

/**
 * Registers the addon that `thaw backend install` compiled as the backend `tensorflow`, with this process' tfjs-core.
 * The npm package's own entry is passed by: it would load a second tfjs-core and look for its binary elsewhere.
 * `isCurrent`: this version of Thaw compiled it, so that its kernels and functions can be called.
 */
export function registerInstalledAddon(folder: string, kind: "native" | "gpu", isCurrent: boolean): Addon {
  const require = createRequire(join(folder, "package", "dist", "index.js"));
  const controls = require(join(folder, "addon", "thaw_controls.node")) as TensorFlowControls;
  for (const [name, value] of Object.entries(LIBRARY_ENVIRONMENT)) controls.setEnvironment(name, value);
  const kept = kind === "gpu" && isCurrent ? keptFunctions(folder) : undefined;
  if (kind === "gpu") controls.setEnvironment("XLA_FLAGS", xlaFlags(folder));
  if (kept !== undefined) controls.setEnvironment("TF_XLA_FLAGS", kept.flags);
  restoreOldUtil();
  Object.assign(globalThis, { [TFJS_CORE_KEY]: createRequire(import.meta.url)("@tensorflow/tfjs-core") });
  const binding = require(join(folder, "addon", "tfjs_binding.node")) as TensorFlowBinding;
  // Reading what XLA kept writes a line for each function, since it tries another format first.
  if (kept !== undefined) controls.muteErrors();
  require("./register_all_kernels.js");
  const { NodeJSKernelBackend } = require("./nodejs_kernel_backend.js") as {
    NodeJSKernelBackend: new (binding: TensorFlowBinding, packageName: string) => tf.KernelBackend;
  };
  tf.registerBackend("tensorflow", () => new NodeJSKernelBackend(binding, NAMES_OF_THE_ADDON_PACKAGE[kind]), 3);
  const kernelSet = !isCurrent || binding.isUsingGpuDevice() ? undefined : loadNativeKernels(folder);
  const functions =
    !isCurrent || (kind === "gpu" && !hasXlaTools(folder)) ? undefined : loadFunctions(folder, require, kept);
  return {
    binding,
    setTensorFloat32(enabled) {
      controls.setTensorFloat32(enabled);
      if (functions !== undefined) functions.precision = enabled ? "tf32 " : "";
    },
    ...(kernelSet === undefined ? {} : { kernelSet }),
    ...(functions === undefined ? {} : { functions }),
  };
}

/** What earlier runs compiled on these cards with this driver, this library and this version of Thaw. */
function keptFunctions(folder: string): CompiledCache | undefined {
  const cards = describeCards();
  if (cards === null) return undefined;
  const facts = [TENSORFLOW_VERSION, addonSourcesHash(), xlaFlags(folder), ...cards];
  return openCompiledCache(join(folder, "compiled"), facts);
}

/** native/thaw_functions.cc, for the addon beside it. */
function loadFunctions(folder: string, require: NodeJS.Require, kept: CompiledCache | undefined): CompiledFunctions {
  const native = require(join(folder, "addon", "thaw_functions.node")) as {
    addFunction(addon: string, ...rest: Parameters<AddFunction>): void;
  };
  const addon = join(folder, "addon", "tfjs_binding.node");
  const onProblem = (message: string): void => {
    process.emitWarning(
      `TensorFlow could not make a function, so its operations run one by one. ${message}`,
      "ThawFunctionWarning",
    );
  };
  return new CompiledFunctions(
    tf.findBackend("tensorflow") as unknown as FunctionBackend,
    (...parameters) => {
      native.addFunction(addon, ...parameters);
    },
    { onProblem, ...(kept && { kept }) },
  );
}

/** Loads a user's `@tensorflow/tfjs-node(-gpu)`, which registers itself. */
export async function registerPackageAddon(folder: string): Promise<Addon> {
  restoreOldUtil();
  const require = createRequire(join(folder, "package.json"));
  await Promise.resolve(require(folder));
  return { binding: (tf.findBackend("tensorflow") as unknown as { readonly binding: TensorFlowBinding }).binding };
}

/** tfjs-node 4.22 calls functions of `node:util` that Node 23 removed. */
function restoreOldUtil(): void {
  const util = createRequire(import.meta.url)("node:util") as Record<string, unknown>;
  util["isNullOrUndefined"] ??= (value: unknown): boolean => value === null || value === undefined;
  util["isArray"] ??= Array.isArray;
  util["isString"] ??= (value: unknown): boolean => typeof value === "string";
}
