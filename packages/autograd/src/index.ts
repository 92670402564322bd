export {
  isPackable,
  packBfloat16,
  roundToBfloat16,
  simulatedBfloat16,
  tensorflowBfloat16,
  unpackBfloat16,
  wordsOfBfloat16,
} from "./bfloat16/index.js";
export type { Bfloat16Products, PackedMatrix } from "./bfloat16/index.js";
export { ConstantCache } from "./engine/constant-cache.js";
export { AutogradError } from "./errors.js";
export { hasFused, runFused, runFusedOne } from "./kernels/fused.js";
export type { FusedName } from "./kernels/fused.js";
export { asFunction, expectPasses, tensorFunctions } from "./kernels/functions.js";
export type {
  CompileFunction,
  FunctionInput,
  Narrowed,
  PackedInput,
  TensorFunction,
  TensorFunctions,
} from "./kernels/functions.js";
export type { Kernels, MatmulStrategy } from "./kernels/kernels.js";
export { LayoutCache } from "./engine/layout-cache.js";
export { operate } from "./engine/operation.js";
export { add, addScalar, div, mul, scale, sub } from "./ops/arithmetic.js";
export { attention, softmax } from "./ops/attention/attention.js";
export type { AttentionOptions } from "./ops/attention/attention.js";
export { causalConvolution } from "./ops/sequences/convolution.js";
export type { CausalConvolutionOptions } from "./ops/sequences/convolution.js";
export { gatedDelta } from "./ops/sequences/gated-delta.js";
export type { GatedDeltaOptions, GatedDeltaResult } from "./ops/sequences/gated-delta.js";
export { crossEntropy, softmaxCrossEntropy } from "./ops/cross-entropy.js";
export type { CrossEntropyOptions, FusedCrossEntropyOptions } from "./ops/cross-entropy.js";
export { dropout } from "./ops/dropout.js";
export { AttentionSpans } from "./ops/attention/attention-spans.js";
export type { CausalOptions, RowRange, SampleSpan, Sight } from "./ops/attention/attention-spans.js";
export { fuse } from "./ops/fuse.js";
export { multiHeadAttention, rotaryHeads } from "./ops/attention/heads.js";
export type { MultiHeadAttentionOptions } from "./ops/attention/heads.js";
export { release, stopGradient } from "./ops/flow.js";
export { linear, matmul } from "./ops/linear.js";
export type { MatmulOptions } from "./ops/linear.js";
export { layerNorm, rmsNorm } from "./ops/norm.js";
export type { RmsNormOptions } from "./ops/norm.js";
export {
  clamp,
  exp,
  geglu,
  gelu,
  geluTanh,
  log,
  quickGelu,
  relu,
  sigmoid,
  silu,
  softCap,
  sqrt,
  square,
  swiglu,
  tanh,
} from "./ops/pointwise.js";
export { mean, sum } from "./ops/reduce.js";
export { rotary } from "./ops/attention/rotary.js";
export { embedding, gatherRows, insertRows, scatterRows } from "./ops/rows.js";
export { concat, joinColumns, pad, reshape, slice, splitColumns, transpose } from "./ops/shape.js";
export type { NamedColumns } from "./ops/shape.js";
export type { Backward, OpRecord, Saved } from "./engine/record.js";
export {
  dequantize,
  firstBadScale,
  FROZEN_FORMS,
  joinQuantized,
  layoutOf,
  pairTable,
  quantize,
  quantizedBytes,
  signedTable,
} from "./quantized/index.js";
export type {
  FrozenForm,
  QuantizedLayout,
  QuantizedMatrix,
  QuantizedParts,
  QuantizedValues,
} from "./quantized/index.js";
export { Tape } from "./engine/tape.js";
export type { TapeOptions } from "./engine/tape.js";
export type { Value } from "./engine/value.js";
