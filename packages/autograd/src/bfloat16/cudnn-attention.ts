import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { WholeAttention, WholeAttentionMade, WholeAttentionShape } from "./whole-attention.js";
import { BFLOAT16, FLOAT32, type OpResult, type Operations, UINT8 } from "./operations.js";

/** Heads that cuDNN's fused attention takes, forward and backward: a multiple of 8 numbers, and not too many. */
const [DEPTH_STEP, MOST_DEPTH] = [8, 128];

/**
 * cuDNN's fused attention (FlashAttention-2, Dao 2023, arXiv 2307.08691) by a call that XLA knows and turns into a
 * graph of cuDNN's, as JAX makes it (jax/_src/cudnn/fused_attention_stablehlo.py). Tensors are `[samples, rows, heads,
 * depth]` going in and `[samples, heads, rows, depth]` coming out.
 */
export class CudnnAttention implements WholeAttention {
  readonly #operations: Operations;

  constructor(operations: Operations) {
    this.#operations = operations;
  }

  allows({ depth, queries, keys }: WholeAttentionShape): boolean {
    return depth % DEPTH_STEP === 0 && depth <= MOST_DEPTH && queries > 1 && keys > 1;
  }

  forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    shape: WholeAttentionShape,
  ): { readonly output: Tensor; readonly normaliser: Tensor } {
    const { samples, queries, heads, depth } = shape;
    const operands = [this.#rounded(q, shape, "q"), this.#rounded(k, shape, "k"), this.#rounded(v, shape, "k")];
    const [mixed, statistics, workspace] = this.#call(
      "__cudnn$fmhaSoftmax",
      config(shape, false),
      operands.map(({ id }) => id),
      operands.map(() => BFLOAT16),
      [
        { type: BFLOAT16, shape: [samples, heads, queries, depth] },
        { type: FLOAT32, shape: [samples, heads, queries] },
        { type: UINT8, shape: [0] },
      ],
    ) as [OpResult, OpResult, OpResult];
    const output = tf.reshape(this.#rows(mixed), q.shape);
    this.#operations.delete(...operands.map(({ id }) => id), workspace.id);
    return { output, normaliser: this.#operations.tensor(statistics) };
  }

  backward(
    gradient: Tensor,
    { q, k, v, output, normaliser }: WholeAttentionMade,
    shape: WholeAttentionShape,
  ): readonly [Tensor, Tensor, Tensor] {
    const { samples, queries, keys, heads, keyHeads, depth } = shape;
    const [ofQueries, ofKeys] = [
      [q, gradient, output].map((rows) => this.#rounded(rows, shape, "q")),
      [k, v].map((rows) => this.#rounded(rows, shape, "k")),
    ];
    const [queryRows, upstream, mixed] = ofQueries.map(({ id }) => id) as [number, number, number];
    const [keyRows, valueRows] = ofKeys.map(({ id }) => id) as [number, number];
    const ids = [queryRows, keyRows, valueRows, ...this.#operations.idsOf(normaliser), upstream, mixed];
    const types = ids.map((_, index) => (index === 3 ? FLOAT32 : BFLOAT16));
    const gradientOfKeys = { type: BFLOAT16, shape: [samples, keyHeads, keys, depth] };
    const results = this.#call("__cudnn$fmhaSoftmaxBackward", config(shape, true), ids, types, [
      { type: BFLOAT16, shape: [samples, heads, queries, depth] },
      gradientOfKeys,
      gradientOfKeys,
      { type: UINT8, shape: [0] },
    ]);
    this.#operations.delete(queryRows, keyRows, valueRows, upstream, mixed, results[3]!.id);
    const [ofQ, ofK, ofV] = results.slice(0, 3).map((result) => this.#rows(result));
    return [tf.reshape(ofQ!, q.shape), tf.reshape(ofK!, k.shape), tf.reshape(ofV!, v.shape)];
  }

  /** Rows as `[samples, rows, heads, depth]`, rounded. */
  #rounded(
    rows: Tensor,
    { samples, queries, keys, heads, keyHeads, depth }: WholeAttentionShape,
    of: "q" | "k",
  ): OpResult {
    const split = tf.reshape(rows, of === "q" ? [samples, queries, heads, depth] : [samples, keys, keyHeads, depth]);
    return this.#operations.cast(this.#operations.idsOf(split)[0]!, FLOAT32, BFLOAT16);
  }

  /** A result `[samples, heads, rows, depth]` as float32 `[samples, rows, heads, depth]`. */
  #rows(result: OpResult): Tensor {
    const wide = this.#operations.tensor(this.#operations.cast(result.id, BFLOAT16, FLOAT32));
    this.#operations.delete(result.id);
    return tf.transpose(wide, [0, 2, 1, 3]);
  }

  #call(
    target: string,
    backendConfig: string,
    inputs: readonly number[],
    inputTypes: readonly number[],
    results: readonly { readonly type: number; readonly shape: readonly number[] }[],
  ): OpResult[] {
    const { binding } = this.#operations.backend;
    const attributes = [
      { name: "call_target_name", type: binding.TF_ATTR_STRING, value: target },
      { name: "backend_config", type: binding.TF_ATTR_STRING, value: backendConfig },
      this.#operations.flag("has_side_effect", false),
      this.#operations.type("operand_dtypes", inputTypes),
      this.#operations.type(
        "result_dtypes",
        results.map(({ type }) => type),
      ),
      { name: "result_shapes", type: binding.TF_ATTR_SHAPE, value: results.map(({ shape }) => shape) },
    ];
    return binding.executeOp("XlaCustomCallV2", attributes, inputs, results.length);
  }
}

/** XLA's `GpuBackendConfig` as JSON (xla/service/gpu/backend_configs.proto); its 64-bit numbers are texts there. */
function config(shape: WholeAttentionShape, isBackward: boolean): string {
  const { samples, queries, keys, heads, scale, isCausal, window } = shape;
  const numbers = (...values: number[]): string[] => values.map(String);
  const product = (left: number, right: number, leftBatch: number[], rightBatch: number[]): object => ({
    lhs_contracting_dimensions: numbers(left),
    rhs_contracting_dimensions: numbers(right),
    lhs_batch_dimensions: numbers(...leftBatch),
    rhs_batch_dimensions: numbers(...rightBatch),
  });
  // Axes of [samples, rows, heads, depth], and of scores: [samples, heads, queries, keys].
  const [ofRows, ofScores] = [
    [0, 2],
    [0, 1],
  ];
  const products = isBackward
    ? {
        bmm1_grad_gemm1_dot_dimension_numbers: product(2, 1, ofScores, ofRows),
        bmm1_grad_gemm2_dot_dimension_numbers: product(3, 1, ofScores, ofRows),
        bmm2_grad_gemm1_dot_dimension_numbers: product(2, 1, ofScores, ofRows),
        bmm2_grad_gemm2_dot_dimension_numbers: product(3, 3, ofRows, ofRows),
      }
    : {
        bmm1_dot_dimension_numbers: product(3, 3, ofRows, ofRows),
        bmm2_dot_dimension_numbers: product(3, 1, ofScores, ofRows),
      };
  return JSON.stringify({
    operation_queue_id: "0",
    cudnn_fmha_backend_config: {
      algorithm: {
        algo_id: "0",
        math_type: "TENSOR_OP_MATH",
        tuning_knobs: { 17: "1", 24: "0" },
        is_cudnn_frontend: true,
        workspace_size: "0",
      },
      fmha_scale: scale,
      intermediate_tensor_shape: {
        element_type: "BF16",
        dimensions: numbers(samples, heads, queries, keys),
        layout: { minor_to_major: numbers(3, 2, 1, 0) },
        is_dynamic_dimension: [false, false, false, false],
      },
      is_flash_attention: true,
      mask_type: isCausal ? "CAUSAL" : "NO_MASK",
      ...products,
      dropout_rate: 0,
      seed: 42,
      sliding_window_length: window,
    },
  });
}
