import { add, matmul, reshape, transpose, type Value } from "@thaw/autograd";
import type { LoadedBatch, Scope } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { ParameterSpec } from "../contract/family.js";
import { inputMissing, inputShape } from "../errors.js";
import { PIXEL_VALUES } from "./inputs.js";

/** A convolution whose steps are as long as its kernel, over patches that come cut, one per row. */
export interface PatchEmbeddingOptions {
  /** Name of the convolution: `...embeddings.patch_embedding`. */
  readonly name: string;
  readonly hiddenSize: number;
  /** Sizes of the kernel behind `hiddenSize`, as stored: `[channels, patch, patch]`, or with frames in between. */
  readonly kernel: readonly number[];
  readonly hasBias: boolean;
}

/** Columns of a patch: all values of its kernel. */
export function patchWidth({ kernel }: Pick<PatchEmbeddingOptions, "kernel">): number {
  return kernel.reduce((product, size) => product * size, 1);
}

/** Parameters of the convolution. */
export function patchEmbeddingSpecs(options: PatchEmbeddingOptions): readonly ParameterSpec[] {
  const { name, hiddenSize, kernel, hasBias } = options;
  return [
    { name: `${name}.weight`, shape: [hiddenSize, ...kernel], role: "linear", fanIn: patchWidth(options) },
    ...(hasBias ? [{ name: `${name}.bias`, shape: [hiddenSize], role: "bias" } satisfies ParameterSpec] : []),
  ];
}

/** `patches [rows, width]`, each in the order of the kernel, to `[rows, hidden]`: one product. */
export function embedPatches(patches: Tensor, options: PatchEmbeddingOptions, scope: Scope): Value {
  const { name, hiddenSize, hasBias } = options;
  const kernel = reshape(scope.parameter(`${name}.weight`), [hiddenSize, patchWidth(options)]);
  const embedded = matmul(scope.constant(patches), transpose(kernel, [1, 0]));
  return hasBias ? add(embedded, scope.parameter(`${name}.bias`)) : embedded;
}

/**
 * The patches of all items of the segment that reads them, `[rows, width]`. `perItem`: how many each has to have.
 * @throws THAW_MODEL_INPUT_MISSING, THAW_MODEL_INPUT_SHAPE
 */
export function patchesOf(
  batch: LoadedBatch,
  segment: string,
  width: number,
  perItem: readonly number[],
  input: string = PIXEL_VALUES,
): Tensor {
  const patches = batch.inputs[input];
  if (patches === undefined) throw inputMissing(input, segment);
  const { tensor, offsets } = patches;
  const isWhole =
    offsets.length === perItem.length + 1 &&
    perItem.every((rows, item) => offsets[item + 1]! - offsets[item]! === rows);
  if (isWhole && tensor.shape.length === 2 && tensor.shape[1] === width) return tensor;
  const counts = [...new Set(perItem)].join(" or ");
  throw inputShape(input, tensor.shape, `[rows, ${width}], ${counts} patches per image`);
}
