import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, it } from "vitest";
import { SETUPS, useBackend } from "../../../test/backends.js";
import { registerStandIns } from "../../../test/fused-stand-ins.js";
import { type Case, checkGradients, type Input, randomInput } from "../../../test/numeric.js";
import { expectSame as expectSameCase } from "../../../test/same.js";
import { installFunctions } from "../../../test/replayed-functions.js";
import {
  add,
  AttentionSpans,
  concat,
  matmul,
  multiHeadAttention,
  scale,
  slice,
  softCap,
  softmax,
  type Value,
} from "../../index.js";

const SCALE = 0.9;
/** Small, so that most scores are bent. */
const CAP = 0.7;
const OFFSETS = Int32Array.of(0, 6, 10);

const SPANS: Record<string, AttentionSpans> = {
  "samples of any length": AttentionSpans.causal(OFFSETS),
  "even samples": AttentionSpans.even(2, 5, true),
  "whole samples": AttentionSpans.even(2, 5, false),
  "a window": AttentionSpans.even(2, 5, true).windowed(2),
  "a long window, in blocks": AttentionSpans.even(1, 270, true).windowed(20),
};

const inputsOf = ({ queryCount }: AttentionSpans): readonly Input[] => [
  randomInput([queryCount, 12], 1),
  randomInput([queryCount, 6], 2),
  randomInput([queryCount, 6], 3),
];

const attends =
  (spans: AttentionSpans): Case =>
  ([q, k, v]) =>
    multiHeadAttention(q!, k!, v!, { headCount: 4, keyValueHeadCount: 2, scale: SCALE, cap: CAP, spans });

/** Head by head, of single ops. */
const inSteps =
  (spans: AttentionSpans): Case =>
  ([q, k, v], tape) => {
    const rows = spans.queryCount;
    const mask = new Float32Array(rows * rows).fill(-1e9);
    for (const sample of spans.samples)
      for (let row = sample.firstQuery; row < sample.firstQuery + sample.queries; row++) {
        const [first, end] = spans.seenBy(row, sample);
        mask.fill(0, row * rows + sample.firstKey + first, row * rows + sample.firstKey + end);
      }
    const hidden = tape.own(tf.tensor(mask, [rows, rows]));
    const head = (x: Value, at: number): Value => slice(x, [0, 3 * at], [rows, 3]);
    const mixed = [0, 1, 2, 3].map((at) => {
      const keys = Math.floor(at / 2);
      const scores = softCap(scale(matmul(head(q!, at), head(k!, keys), { transposeB: true }), SCALE), CAP);
      return matmul(softmax(add(scores, hidden)), head(v!, keys));
    });
    return concat(mixed, 1);
  };

const expectSame = (spans: AttentionSpans, needs: readonly boolean[], prepare?: () => () => void): void => {
  const size = spans.queryCount * 12;
  expectSameCase(attends(spans), inputsOf(spans), { as: inSteps(spans), needs, size, prepare });
};

const ALL = [true, true, true];

describe.each(SETUPS)("capped scores on $backend with $matmul (simd: $simd)", ({ backend, matmul, simd }) => {
  beforeAll(async () => useBackend(backend, simd));

  it.each(Object.entries(SPANS))("are those of single ops: %s", (_name, spans) => {
    expectSame(spans, ALL);
    expectSame(spans, [false, true, false]);
    expectSame(spans, [false, false, true]);
  });

  it("have the gradients that differences give", () => {
    checkGradients(attends(SPANS["a window"]!), inputsOf(SPANS["a window"]!), matmul);
  });
});

describe("capped scores", () => {
  beforeAll(async () => useBackend("cpu"));

  it.each(Object.entries(SPANS))("are the same beside kernels that know no cap: %s", (_name, spans) => {
    expectSame(spans, ALL, () => registerStandIns("cpu"));
  });

  it.each(Object.entries(SPANS))("are the same in functions: %s", (_name, spans) => {
    expectSame(spans, ALL, () => {
      const functions = installFunctions();
      return () => functions.remove();
    });
  });
});
