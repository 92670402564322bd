import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { SETUPS, useBackend } from "../../../test/backends.js";
import { registerStandIns } from "../../../test/fused-stand-ins.js";
import { type Case, checkGradients, type Input, randomInput } from "../../../test/numeric.js";
import { expectSame as expectSameCase, type SameOptions } from "../../../test/same.js";
import { installFunctions } from "../../../test/replayed-functions.js";
import { attention, AttentionSpans, multiHeadAttention, reshape, transpose, type Value } from "../../index.js";
import { evenSamples } from "../../kernels/even-samples.js";

const HEADS = { headCount: 4, keyValueHeadCount: 2, scale: 0.4 };
const OFFSETS = Int32Array.of(0, 6, 10);
const IMAGE = [{ first: 1, end: 5 }];
const LONG = Int32Array.of(0, 100, 170);
const LONG_IMAGES = [
  { first: 40, end: 90 },
  { first: 110, end: 115 },
];

const SPANS: Record<string, AttentionSpans> = {
  "a window": AttentionSpans.causal(OFFSETS, { window: 3 }),
  "a window over even samples": AttentionSpans.even(2, 5, true).windowed(2),
  "an image that is seen both ways": AttentionSpans.causal(OFFSETS).seeing(IMAGE),
  "an image that the window leaves whole": AttentionSpans.causal(OFFSETS, { window: 2 }).seeing(IMAGE),
  "an image that the window cuts": AttentionSpans.causal(OFFSETS).seeing(IMAGE).windowed(2),
  "whole samples not further back than a window": AttentionSpans.within(OFFSETS, false).windowed(2),
};

const BLOCKS: Record<string, AttentionSpans> = {
  "a window": AttentionSpans.causal(LONG, { window: 20 }),
  "a window over even samples": AttentionSpans.even(1, 170, true).windowed(20),
  "windows and images": AttentionSpans.causal(LONG, { window: 20 }).seeing(LONG_IMAGES),
  "images that a window cuts": AttentionSpans.causal(LONG).seeing(LONG_IMAGES).windowed(20),
  "some rows of a window": AttentionSpans.causal(LONG, { window: 20 }).choosing(Int32Array.of(50, 99, 169)),
};

const inputsOf = (spans: AttentionSpans): readonly Input[] => {
  const keys = Math.max(...spans.samples.map((sample) => sample.firstKey + sample.keys));
  return [randomInput([spans.queryCount, 12], 1), randomInput([keys, 6], 2), randomInput([keys, 6], 3)];
};

const attends =
  (spans: AttentionSpans): Case =>
  ([q, k, v]) =>
    multiHeadAttention(q!, k!, v!, { ...HEADS, spans });

/** All scores of all rows, with a mask over what is not seen. */
const masked =
  (spans: AttentionSpans): Case =>
  ([q, k, v], tape) => {
    const [rows, keys] = [q!.shape[0]!, k!.shape[0]!];
    const mask = new Float32Array(rows * keys).fill(-1e9);
    for (const sample of spans.samples)
      for (let row = sample.firstQuery; row < sample.firstQuery + sample.queries; row++) {
        const [first, end] = spans.seenBy(row, sample);
        mask.fill(0, row * keys + sample.firstKey + first, row * keys + sample.firstKey + end);
      }
    const split = (x: Value, heads: number): Value => transpose(reshape(x, [1, x.shape[0]!, heads, 3]), [0, 2, 1, 3]);
    const mixed = attention(split(q!, 4), split(k!, 2), split(v!, 2), {
      scale: 0.4,
      mask: tape.own(tf.tensor(mask, [rows, keys])).tensor,
    });
    return reshape(transpose(mixed, [0, 2, 1, 3]), [rows, 12]);
  };

const expectSame = (
  spans: AttentionSpans,
  { needs = [true, true, true], ...more }: Partial<Pick<SameOptions, "needs" | "matmul" | "prepare">>,
): void => {
  const size = spans.queryCount * 12;
  expectSameCase(attends(spans), inputsOf(spans), { as: masked(spans), needs, size, ...more });
};

describe.each(SETUPS)("on $backend with $matmul (simd: $simd)", ({ backend, matmul, simd }) => {
  beforeAll(async () => useBackend(backend, simd));

  it.each(Object.entries(SPANS))("has the gradients of %s", (_name, spans) => {
    checkGradients(attends(spans), inputsOf(spans), matmul);
  });

  it.each(Object.entries({ ...SPANS, ...BLOCKS }))("sees of %s what a mask leaves", (_name, spans) => {
    expectSame(spans, { matmul });
  });

  it.each(Object.entries(SPANS))("asks of %s for the gradients that are wanted alone", (_name, spans) => {
    expectSame(spans, { matmul, needs: [false, true, false] });
  });
});

describe("with what a backend may bring", () => {
  beforeAll(async () => useBackend("cpu"));

  it.each(Object.entries({ ...SPANS, ...BLOCKS }))("sees the same of %s with kernels of its own", (_name, spans) => {
    expectSame(spans, { prepare: () => registerStandIns("cpu") });
  });

  it.each(Object.entries({ ...SPANS, ...BLOCKS }))("sees the same of %s in functions", (_name, spans) => {
    expectSame(spans, {
      prepare: () => {
        const functions = installFunctions();
        return () => functions.remove();
      },
    });
  });
});

describe("spans", () => {
  it("end a window at the row itself", () => {
    const { first, end } = AttentionSpans.causal(OFFSETS, { window: 3 });
    expect([...first!]).toEqual([0, 0, 0, 1, 2, 3, 0, 0, 0, 1]);
    expect([...end!]).toEqual([1, 2, 3, 4, 5, 6, 1, 2, 3, 4]);
  });

  it("stay as they are where a window hides nothing", () => {
    const spans = AttentionSpans.even(2, 5, true);
    expect(spans.windowed(5)).toBe(spans);
    expect(spans.windowed(4).key).toBe(`${spans.key}, window 4`);
    expect(spans.seeing([])).toBe(spans);
  });

  it("let the rows of a range see one another, before or after a window", () => {
    const whole = AttentionSpans.causal(OFFSETS, { window: 2 }).seeing(IMAGE);
    expect([...whole.first!]).toEqual([0, 0, 1, 1, 1, 4, 0, 0, 1, 2]);
    expect([...whole.end!]).toEqual([1, 5, 5, 5, 5, 6, 1, 2, 3, 4]);
    const cut = AttentionSpans.causal(OFFSETS).seeing(IMAGE).windowed(2);
    expect([...cut.first!]).toEqual([0, 0, 1, 2, 3, 4, 0, 0, 1, 2]);
    expect([...cut.end!]).toEqual([...whole.end!]);
    expect(whole.key).toBeUndefined();
  });

  it("count a window from a sample's last keys where there are keys before its queries", () => {
    const behind = new AttentionSpans([{ firstQuery: 0, queries: 2, firstKey: 0, keys: 9 }], {
      end: Int32Array.of(8, 9),
    });
    expect([...behind.windowed(3).first!]).toEqual([5, 6]);
    expect([...behind.windowed(3).seeing([{ first: 0, end: 2 }]).end!]).toEqual([9, 9]);
  });

  it("make no scores outside a window", () => {
    const { blocks } = evenSamples(AttentionSpans.causal(Int32Array.of(0, 256), { window: 32 }), 256);
    expect(blocks).toEqual([
      { start: 0, end: 64, firstKey: 0, endKey: 64 },
      { start: 64, end: 128, firstKey: 32, endKey: 128 },
      { start: 128, end: 192, firstKey: 96, endKey: 192 },
      { start: 192, end: 256, firstKey: 160, endKey: 256 },
    ]);
    expect(evenSamples(AttentionSpans.causal(Int32Array.of(0, 256)), 256).blocks).toBeNull();
  });

  it("refuse windows and ranges that are none", () => {
    const shape = expect.objectContaining({ code: "THAW_AUTOGRAD_SHAPE" });
    const spans = AttentionSpans.causal(OFFSETS);
    for (const window of [0, 1.5, -1, NaN]) expect(() => spans.windowed(window)).toThrow(shape);
    expect(() => spans.seeing([{ first: 4, end: 7 }])).toThrow(shape);
    expect(() => spans.seeing([{ first: 3, end: 2 }])).toThrow(shape);
  });
});
