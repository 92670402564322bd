import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { join } from "node:path";
import { operationRunner } from "./operation-runner.js";

/** An operation of native/kernels/operations.cc: inputs in order, attributes with their kinds. */
interface KernelSignature {
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, "bool" | "int" | "float">>;
  readonly outputCount: number;
}

const ATTENTION = { heads: "int", key_heads: "int", scale: "float" } as const;

/** By name in TensorFlow, which is the kernel's name in TensorFlow.js too. */
export const NATIVE_KERNELS: Readonly<Record<string, KernelSignature>> = Object.freeze({
  ThawRmsNorm: { inputs: ["x", "gain"], attributes: { epsilon: "float", offset: "float" }, outputCount: 2 },
  ThawRmsNormGradient: {
    inputs: ["gradient", "x", "gain", "inverse", "addend"],
    attributes: { offset: "float", wants_parameters: "bool" },
    outputCount: 2,
  },
  ThawLayerNorm: { inputs: ["x", "gain", "bias"], attributes: { epsilon: "float" }, outputCount: 3 },
  ThawLayerNormGradient: {
    inputs: ["gradient", "x", "gain", "mean", "inverse", "addend"],
    attributes: { wants_parameters: "bool" },
    outputCount: 3,
  },
  ThawActivation: { inputs: ["x"], attributes: { kind: "int" }, outputCount: 1 },
  ThawActivationGradient: { inputs: ["gradient", "x"], attributes: { kind: "int" }, outputCount: 1 },
  ThawGate: { inputs: ["gate", "up"], attributes: { kind: "int" }, outputCount: 1 },
  ThawGateGradient: { inputs: ["gradient", "gate", "up"], attributes: { kind: "int" }, outputCount: 2 },
  ThawRotary: { inputs: ["x", "cos", "sin"], attributes: { heads: "int", is_inverse: "bool" }, outputCount: 1 },
  ThawAttention: { inputs: ["q", "k", "v", "spans", "first", "end"], attributes: ATTENTION, outputCount: 1 },
  ThawAttentionGradient: {
    inputs: ["gradient", "q", "k", "v", "spans", "first", "end"],
    attributes: ATTENTION,
    outputCount: 3,
  },
  ThawProduct: {
    inputs: ["a", "b", "bias", "addend"],
    attributes: { transpose_a: "bool", transpose_b: "bool" },
    outputCount: 1,
  },
  ThawAdamW: { inputs: ["parameter", "m", "v", "gradient", "scalars"], attributes: {}, outputCount: 3 },
  ThawSumOfSquares: { inputs: ["x"], attributes: {}, outputCount: 1 },
  ThawDequantize: {
    inputs: ["words"],
    attributes: { rows: "int", columns: "int", bits: "int", block: "int", nested_block: "int" },
    outputCount: 1,
  },
});

/**
 * Loads Thaw's own kernels, compiled beside the addon, after which the library has them as operations. Returns the
 * instruction set that they were made for. For the processor only: on a GPU they would copy every input.
 */
export function loadNativeKernels(folder: string): string {
  const file = join(folder, "addon", "thaw_kernels.node");
  return (createRequire(file)(file) as { readonly instructionSet: string }).instructionSet;
}

/**
 * Instruction sets on which the product is ours: on two cores with AVX2 it runs at 175 GFLOP/s where TensorFlow's runs
 * at 130, which one core does at 88. With AVX-512 TensorFlow's was measured at 490 of 525 possible, so it stays.
 */
const OWN_PRODUCT: readonly string[] = ["avx2"];

/**
 * Registers them with TensorFlow.js for the backend `tensorflow`, or takes them away: `@thaw/autograd` and the
 * optimizer use what is registered.
 */
export function useNativeKernels(instructionSet: string | undefined): void {
  for (const [kernelName, signature] of Object.entries(NATIVE_KERNELS)) {
    const isUsed =
      instructionSet !== undefined && (kernelName !== "ThawProduct" || OWN_PRODUCT.includes(instructionSet));
    const isThere = tf.getKernel(kernelName, "tensorflow") !== undefined;
    if (isUsed && !isThere)
      tf.registerKernel({ kernelName, backendName: "tensorflow", kernelFunc: kernelFunction(kernelName, signature) });
    if (!isUsed && isThere) tf.unregisterKernel(kernelName, "tensorflow");
  }
}

function kernelFunction(name: string, { inputs, attributes, outputCount }: KernelSignature): tf.KernelFunc {
  const kinds = Object.entries(attributes);
  return ({ inputs: given, attrs }) => {
    const runner = operationRunner();
    const { TF_ATTR_BOOL: bool, TF_ATTR_INT: int, TF_ATTR_FLOAT: float } = runner.binding;
    const types = { bool, int, float };
    const values = (attrs ?? {}) as Readonly<Record<string, boolean | number>>;
    const outputs = runner.executeMultipleOutputs(
      name,
      kinds.map(([key, kind]) => ({ name: key, type: types[kind], value: values[key]! })),
      inputs.map((key) => given[key] as tf.TensorInfo),
      outputCount,
    );
    return outputCount === 1 ? outputs[0]! : outputs;
  };
}
