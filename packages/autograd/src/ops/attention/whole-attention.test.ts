import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { useBackend } from "../../../test/backends.js";
import { type Case, checkGradients, evaluate, randomInput, relativeError } from "../../../test/numeric.js";
import { CudnnAttention } from "../../bfloat16/cudnn-attention.js";
import { type OpAttribute, type OpResult, Operations, type TensorFlowBackend } from "../../bfloat16/operations.js";
import {
  ruleOf,
  type WholeAttention,
  type WholeAttentionMade,
  type WholeAttentionShape,
} from "../../bfloat16/whole-attention.js";
import { AttentionSpans, mul, multiHeadAttention, sum, Tape, type Value } from "../../index.js";

beforeAll(() => useBackend("cpu"));

const SHAPE: WholeAttentionShape = {
  samples: 2,
  queries: 5,
  keys: 5,
  heads: 4,
  keyHeads: 2,
  depth: 8,
  scale: 0.4,
  isCausal: true,
  window: 0,
};

/** The same numbers by a tape of its own. */
class PlainAttention implements WholeAttention {
  readonly seen: WholeAttentionShape[] = [];

  allows({ depth }: WholeAttentionShape): boolean {
    return depth % 8 === 0;
  }

  forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    shape: WholeAttentionShape,
  ): { readonly output: Tensor; readonly normaliser: Tensor } {
    this.seen.push(shape);
    const tape = new Tape();
    const output = this.#attend(tape, [q, k, v], shape).output.tensor.clone();
    tape.dispose();
    return { output, normaliser: tf.zeros([shape.samples, shape.heads, shape.queries]) };
  }

  backward(
    gradient: Tensor,
    { q, k, v }: WholeAttentionMade,
    shape: WholeAttentionShape,
  ): readonly [Tensor, Tensor, Tensor] {
    const tape = new Tape();
    const { inputs, output } = this.#attend(tape, [q, k, v], shape);
    const found = tape.backward(sum(mul(output, tape.constant(gradient))), inputs);
    tape.dispose();
    // Backward's are the caller's; these belong to the tidy around.
    const copies = found.map((tensor) => tensor!.clone());
    tf.dispose(found as Tensor[]);
    return copies as unknown as readonly [Tensor, Tensor, Tensor];
  }

  #attend(
    tape: Tape,
    tensors: readonly Tensor[],
    { samples, queries, heads, keyHeads, scale, isCausal, window }: WholeAttentionShape,
  ): { readonly inputs: readonly Value[]; readonly output: Value } {
    const inputs = tensors.map((tensor) => tape.parameter(tensor, true));
    const even = AttentionSpans.even(samples, queries, isCausal);
    const spans = window === 0 ? even : even.windowed(window);
    const options = { headCount: heads, keyValueHeadCount: keyHeads, scale, spans };
    return { inputs, output: multiHeadAttention(inputs[0]!, inputs[1]!, inputs[2]!, options) };
  }
}

describe("what all rows see", () => {
  const even = (window?: number): AttentionSpans => {
    const spans = AttentionSpans.even(1, 6, true);
    return window === undefined ? spans : spans.windowed(window);
  };

  it("is known where a rule says it", () => {
    expect(ruleOf({}, 6, 9)).toEqual({ isCausal: false, window: 0 });
    expect(ruleOf(even(), 6, 6)).toEqual({ isCausal: true, window: 0 });
    expect(ruleOf(even(3), 6, 6)).toEqual({ isCausal: true, window: 3 });
    expect(ruleOf({ end: new Int32Array(6).fill(6) }, 6, 6)).toEqual({ isCausal: false, window: 0 });
  });

  it("is not known where rows differ otherwise", () => {
    expect(ruleOf(even(), 6, 7)).toBeUndefined();
    expect(ruleOf(AttentionSpans.causal(Int32Array.of(0, 6)).seeing([{ first: 1, end: 4 }]), 6, 6)).toBeUndefined();
    expect(
      ruleOf(AttentionSpans.causal(Int32Array.of(0, 6), { window: 2 }).choosing(Int32Array.of(2, 4)), 2, 6),
    ).toBeUndefined();
    expect(ruleOf({ first: Int32Array.of(0, 0, 1, 0), end: Int32Array.of(1, 2, 3, 4) }, 4, 4)).toBeUndefined();
  });
});

describe("attention that never writes its scores", () => {
  const inputs = [randomInput([10, 32], 1), randomInput([10, 16], 2), randomInput([10, 16], 3)];
  const options = { headCount: 4, keyValueHeadCount: 2, scale: 0.4 };
  const attends =
    (spans: AttentionSpans, kernel?: WholeAttention): Case =>
    ([q, k, v], tape) => {
      if (kernel !== undefined) Object.assign(tape.kernels, { isTraced: true, wholeAttention: kernel });
      return multiHeadAttention(q!, k!, v!, { ...options, spans });
    };

  it.each<[string, AttentionSpans, Partial<WholeAttentionShape>]>([
    ["causal", AttentionSpans.even(2, 5, true), {}],
    ["both ways", AttentionSpans.even(2, 5, false), { isCausal: false }],
    ["a window", AttentionSpans.even(2, 5, true).windowed(2), { window: 2 }],
  ])("is taken in functions where a rule says what rows see: %s", (_name, spans, rule) => {
    const kernel = new PlainAttention();
    const all = [true, true, true];
    const direction = randomInput([320], 9).values;
    const wanted = evaluate(attends(spans), inputs, all, direction, "flags");
    const got = evaluate(attends(spans, kernel), inputs, all, direction, "flags");
    expect(kernel.seen).toEqual([{ ...SHAPE, ...rule }]);
    expect(relativeError(got.output, wanted.output)).toBeLessThan(1e-5);
    got.gradients.forEach((gradient, index) =>
      expect(relativeError(gradient!, wanted.gradients[index]!)).toBeLessThan(1e-5),
    );
    checkGradients(attends(spans, kernel), inputs);
  });

  it("is left alone where rows differ, scores are capped or the kernel does not take the shape", () => {
    const kernel = new PlainAttention();
    const needs = [true, false, false];
    evaluate(attends(AttentionSpans.causal(Int32Array.of(0, 6, 10)), kernel), inputs, needs, null, "flags");
    const narrow = [randomInput([10, 16], 1), randomInput([10, 8], 2), randomInput([10, 8], 3)];
    const spans = AttentionSpans.even(2, 5, true);
    evaluate(attends(spans, kernel), narrow, needs, null, "flags");
    const capped: Case = ([q, k, v], tape) => {
      Object.assign(tape.kernels, { isTraced: true, wholeAttention: kernel });
      return multiHeadAttention(q!, k!, v!, { ...options, spans, cap: 2 });
    };
    evaluate(capped, inputs, needs, null, "flags");
    expect(kernel.seen).toEqual([]);
  });
});

describe("cuDNN's attention", () => {
  interface Call {
    readonly name: string;
    readonly attributes: readonly OpAttribute[];
    readonly inputs: readonly number[];
  }

  /** A backend that writes down what it is asked and counts what is alive; results of casts and shapes are not made. */
  const recording = (): { readonly calls: Call[]; readonly alive: Set<number>; readonly attention: CudnnAttention } => {
    const [calls, alive, shapes]: [Call[], Set<number>, Map<number, number[]>] = [[], new Set(), new Map()];
    let next = 1000;
    const made = (shape: number[], dtype: number): OpResult => {
      alive.add(next);
      shapes.set(next, shape);
      return { id: next++, shape, dtype };
    };
    const value = (attributes: readonly OpAttribute[], name: string): unknown =>
      attributes.find((attribute) => attribute.name === name)?.value;
    const ids = new Map<object, number>();
    const backend = {
      isUsingGpuDevice: true,
      binding: {
        TF_ATTR_TYPE: 4,
        TF_ATTR_BOOL: 3,
        TF_ATTR_STRING: 0,
        TF_ATTR_SHAPE: 5,
        executeOp(name: string, attributes: readonly OpAttribute[], inputs: readonly number[]) {
          calls.push({ name, attributes, inputs });
          if (name === "XlaCustomCallV2")
            return (value(attributes, "result_shapes") as number[][]).map((shape, index) =>
              made(shape, (value(attributes, "result_dtypes") as number[])[index]!),
            );
          const shape = shapes.get(inputs[0]!)!;
          if (name === "Reshape") return [made(sizes.get(inputs[1]!)!, value(attributes, "T") as number)];
          if (name === "Cast") return [made(shape, value(attributes, "DstT") as number)];
          return [
            made(
              value(attributes, "type") === 1 ? shape.slice(0, -1) : [...shape, 2],
              value(attributes, "type") as number,
            ),
          ];
        },
        deleteTensor: (id: number) => void alive.delete(id),
      },
      getInputTensorIds: (tensors: readonly Tensor[]) =>
        tensors.map((tensor) => {
          if (!ids.has(tensor.dataId)) ids.set(tensor.dataId, ids.size);
          const id = ids.get(tensor.dataId)!;
          shapes.set(id, [...tensor.shape]);
          if (tensor.dtype === "int32") sizes.set(id, [...tensor.dataSync()]);
          return id;
        }),
      createOutputTensor({ id, shape }: OpResult) {
        const tensor = tf.zeros(shape);
        ids.set(tensor.dataId, id);
        alive.delete(id);
        return tensor;
      },
    };
    const sizes = new Map<number, number[]>();
    return { calls, alive, attention: new CudnnAttention(new Operations(backend as unknown as TensorFlowBackend)) };
  };
  const attribute = ({ attributes }: Call, name: string): unknown => attributes.find((one) => one.name === name)?.value;
  const configOf = (call: Call): Record<string, unknown> =>
    (JSON.parse(attribute(call, "backend_config") as string) as { cudnn_fmha_backend_config: Record<string, unknown> })
      .cudnn_fmha_backend_config;

  it("is called with shapes, types and what rows see, forward and backward, and leaves no handle", () => {
    const { calls, alive, attention } = recording();
    tf.tidy(() => {
      const [q, k, v] = [tf.zeros([10, 32]), tf.zeros([10, 16]), tf.zeros([10, 16])];
      const shape = { ...SHAPE, window: 3 };
      const { output, normaliser } = attention.forward(q, k, v, shape);
      expect([output.shape, normaliser.shape]).toEqual([
        [10, 32],
        [2, 4, 5],
      ]);
      const gradients = attention.backward(tf.ones([10, 32]), { q, k, v, output, normaliser }, shape);
      expect(gradients.map((tensor) => tensor.shape)).toEqual([q.shape, k.shape, v.shape]);
      attention.forward(q, k, v, { ...SHAPE, isCausal: false });
    });
    expect(alive.size).toBe(0);
    const [forward, backward, both] = calls.filter(({ name }) => name === "XlaCustomCallV2") as [Call, Call, Call];
    expect(attribute(forward, "call_target_name")).toBe("__cudnn$fmhaSoftmax");
    expect(attribute(forward, "operand_dtypes")).toEqual([14, 14, 14]);
    expect(attribute(forward, "result_dtypes")).toEqual([14, 1, 4]);
    expect(attribute(forward, "result_shapes")).toEqual([[2, 4, 5, 8], [2, 4, 5], [0]]);
    expect(configOf(forward)).toMatchObject({ fmha_scale: 0.4, mask_type: "CAUSAL", sliding_window_length: 3 });
    expect(attribute(backward, "call_target_name")).toBe("__cudnn$fmhaSoftmaxBackward");
    expect(attribute(backward, "operand_dtypes")).toEqual([14, 14, 14, 1, 14, 14]);
    expect(attribute(backward, "result_shapes")).toEqual([[2, 4, 5, 8], [2, 2, 5, 8], [2, 2, 5, 8], [0]]);
    expect(Object.keys(configOf(backward)).filter((name) => name.includes("_grad_"))).toHaveLength(4);
    expect(configOf(both)["mask_type"]).toBe("NO_MASK");
  });

  it("takes heads of a multiple of 8 numbers, up to 128, and samples of more than one row", () => {
    const { attention } = recording();
    const takes = (part: Partial<WholeAttentionShape>): boolean => attention.allows({ ...SHAPE, ...part });
    expect([takes({}), takes({ depth: 128 }), takes({ depth: 72 })]).toEqual([true, true, true]);
    expect([takes({ depth: 12 }), takes({ depth: 136 }), takes({ queries: 1 })]).toEqual([false, false, false]);
  });
});
