import type { Backend } from "@thaw/core";
import type { BackendName } from "./options.js";

/** What Thaw must know of a backend to use it well. */
export interface BackendCapabilities {
  /**
   * `flags`: transposed operands cost nothing extra. `plain2d`: plain two-dimensional products are many times faster
   * than any other.
   */
  readonly matmul: Backend["matmul"];
  /** TensorFlow.js kernels that are missing and that a trainer might want. */
  readonly missingKernels: readonly string[];
  /**
   * Up to where a copy costs less than an op: what joining small parameters for an update may make. Absent: core's
   * default.
   */
  readonly joinBytes?: number;
  /** `cpu`: where the processor has it. */
  readonly bfloat16: "yes" | "no" | "cpu";
  readonly tensorFloat32: boolean;
  /** True if the backend counts the bytes of its tensors exactly. */
  readonly reportsMemory: boolean;
}

/** One row of the order table. */
export interface BackendEntry {
  readonly name: BackendName;
  /** As TensorFlow.js registers it. */
  readonly engineName: string;
  readonly summary: string;
  /** npm packages that carry it, all of them needed. */
  readonly packages: readonly string[];
  /** Folders under the cache folder in which `thaw backend install` puts it, the right one first. */
  readonly installedAs?: readonly string[];
  /** What to type where it is missing. */
  readonly command: string;
  readonly capabilities: BackendCapabilities;
}

const TENSORFLOW: Omit<BackendCapabilities, "bfloat16" | "tensorFloat32"> = {
  matmul: "flags",
  missingKernels: [],
  reportsMemory: false,
};

/** Every backend, fastest first; the figures are in docs/backends.md. */
export const BACKENDS: readonly BackendEntry[] = Object.freeze([
  {
    name: "gpu",
    engineName: "tensorflow",
    summary: "TensorFlow with CUDA",
    packages: ["@tensorflow/tfjs-node-gpu"],
    installedAs: ["gpu"],
    command: "thaw backend install --cuda",
    capabilities: { ...TENSORFLOW, bfloat16: "yes", tensorFloat32: true, joinBytes: 16 << 20 },
  },
  {
    name: "webgpu",
    engineName: "webgpu",
    summary: "WebGPU through Dawn",
    packages: ["webgpu", "@tensorflow/tfjs-backend-webgpu"],
    command: "npm install webgpu @tensorflow/tfjs-backend-webgpu@4.22.0",
    capabilities: {
      matmul: "flags",
      missingKernels: ["UnsortedSegmentSum"],
      joinBytes: 16 << 20,
      bfloat16: "no",
      tensorFloat32: false,
      reportsMemory: true,
    },
  },
  {
    name: "native",
    engineName: "tensorflow",
    summary: "TensorFlow on the processor",
    packages: ["@tensorflow/tfjs-node"],
    // The GPU's build runs on the processor where no driver is.
    installedAs: ["native", "gpu"],
    command: "thaw backend install",
    capabilities: { ...TENSORFLOW, bfloat16: "cpu", tensorFloat32: false, joinBytes: 4 << 20 },
  },
  {
    name: "wasm",
    engineName: "wasm",
    summary: "WebAssembly",
    packages: ["@tensorflow/tfjs-backend-wasm"],
    command: "npm install @tensorflow/tfjs-backend-wasm@4.22.0",
    capabilities: {
      matmul: "plain2d",
      missingKernels: ["UnsortedSegmentSum", "Einsum", "Conv2DBackpropFilter"],
      bfloat16: "no",
      tensorFloat32: false,
      reportsMemory: true,
    },
  },
  {
    name: "cpu",
    engineName: "cpu",
    summary: "plain JavaScript",
    packages: ["@tensorflow/tfjs-backend-cpu"],
    command: "npm install @tensorflow/tfjs-backend-cpu@4.22.0",
    capabilities: { matmul: "flags", missingKernels: [], bfloat16: "no", tensorFloat32: false, reportsMemory: true },
  },
]);

/** The row of a backend. */
export function backendEntry(name: BackendName): BackendEntry {
  return BACKENDS.find((entry) => entry.name === name) as BackendEntry;
}
