import * as tf from "@tensorflow/tfjs-core";
import { reshape, type RowRange } from "@thaw/autograd";
import type { LoadedBatch, Scope } from "@thaw/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useBackend } from "../../test-support/golden.js";
import { IMAGE } from "../../test-support/images.js";
import { batchOf, testScope } from "../../test-support/scope.js";
import { SMALL_TEXT } from "../../test-support/small-text.js";
import { mixTokens } from "../blocks/merge-features.js";
import type { Decoder } from "../decoders/decoder.js";
import type { LayerKind } from "../decoders/layer-kind.js";
import { textDecoder } from "../decoders/text-decoder.js";
import type { Attending } from "./attending.js";
import { DecodedBatch } from "./decoded-batch.js";
import { generate } from "./generate.js";
import { neededEnds } from "./row-plan.js";

const FEATURES = "features";
/** Two samples of text, an image of four tokens and an answer; the second is shorter. */
const ROWS = [
  [1, 4, 7, 9, 11, IMAGE, IMAGE, IMAGE, IMAGE, 3, 8, 2, 6, 5],
  [1, 4, 7, 9, 12, 13, IMAGE, IMAGE, IMAGE, IMAGE, 10, 2],
];
/** Rows whose next token is learnt: the last tokens of an answer are not. */
const LEARNT = Int32Array.of(9, 10, 14 + 10);
/** The image of the second sample, the last rows of the first: behind what is learnt, and across its end. */
const RANGES: Readonly<Record<string, readonly RowRange[]>> = {
  nothing: [],
  images: [
    { first: 5, end: 9 },
    { first: 14 + 6, end: 14 + 10 },
  ],
  "a prefix with text before the image": [
    { first: 0, end: 10 },
    { first: 14, end: 14 + 11 },
  ],
  "rows on both sides of the last that is learnt": [{ first: 10, end: 13 }],
  "rows before the image": [{ first: 2, end: 4 }],
};
const plain = textDecoder(
  SMALL_TEXT,
  { prefix: "model", head: "lm_head", isTied: false },
  { component: "language_model", after: [] },
);
let weights: Map<string, tf.Tensor>;

beforeAll(async () => {
  await useBackend("cpu");
  weights = new Map(
    [...plain.parameters, { name: FEATURES, shape: [8, 8] }].map(({ name, shape }, index) => [
      name,
      tf.tidy(() => tf.randomNormal([...shape], 0, 0.6, "float32", index + 1)),
    ]),
  );
});
afterAll(() => tf.dispose([...weights.values()]));

function decoderOf(kind: Partial<LayerKind>): Decoder {
  return { ...plain, kinds: [{ ...plain.kinds[0]!, ...kind }] };
}

function attendingTo(ranges: readonly RowRange[]): Attending {
  return { seesBothWays: ({ tokenCount }) => (tokenCount === 14 ? ranges : []) };
}

function placesOf({ tokenIds }: LoadedBatch): Int32Array {
  return Int32Array.from([...tokenIds.keys()].filter((row) => tokenIds[row] === IMAGE));
}

/** Loss and the features' gradient; `saves`: with everything left out that may be. */
function pass(decoder: Decoder, attending: Attending, saves: boolean): { loss: number; gradient: Float32Array } {
  const batch: LoadedBatch = {
    ...batchOf(ROWS, [0, 2]),
    ...(!saves && {
      savings: { padding: false, tail: false, lastLayer: false, logits: false, prefix: false },
    }),
  };
  const scope = testScope(weights, (name) => name === FEATURES);
  const made: tf.Tensor[] = [];
  const keeping: Scope = {
    ...scope,
    kept: (_segment, _key, make) => {
      let tensors: readonly tf.Tensor[] = [];
      scope.tape.noGrad(() =>
        scope.tape.tidy(() => {
          tensors = make();
          return [];
        }),
      );
      made.push(...tensors);
      return tensors;
    },
  };
  const output = new DecodedBatch({
    decoder,
    batch,
    scope: keeping,
    attending,
    features: [reshape(scope.parameter(FEATURES), [8, 8])],
    mix: (rows) => mixTokens(batch.tokenIds, [placesOf(batch)], rows),
  });
  const loss = output.crossEntropy(
    LEARNT,
    LEARNT.map((row) => batch.tokenIds[row + 1]!),
  );
  const value = loss.tensor.dataSync()[0]!;
  const [gradient] = scope.tape.backward(loss, [scope.parameter(FEATURES)]);
  const values = gradient!.dataSync<"float32">().slice();
  tf.dispose([gradient!, ...made]);
  scope.tape.dispose();
  return { loss: value, gradient: values };
}

const KINDS: readonly Partial<LayerKind>[] = [
  {},
  { window: 3 },
  { window: 3, bothWays: "whole" },
  { bothWays: "ignored" },
];

describe.each(KINDS)("layers of kind %j", (kind) => {
  it.each(Object.keys(RANGES))("learn the same with all savings and none, where %s see both ways", (name) => {
    const [saved, whole] = [true, false].map((saves) => pass(decoderOf(kind), attendingTo(RANGES[name]!), saves));
    expect(Math.abs(saved!.loss / whole!.loss - 1)).toBeLessThan(1e-6);
    const largest = whole!.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeGreaterThan(1e-3);
    whole!.gradient.forEach((value, at) => expect(Math.abs(value - saved!.gradient[at]!)).toBeLessThan(1e-5 * largest));
  });

  it("learn something else where a prefix sees both ways, unless they ignore it", () => {
    const [causal, both] = ["nothing", "a prefix with text before the image"].map(
      (name) => pass(decoderOf(kind), attendingTo(RANGES[name]!), true).loss,
    );
    expect(Math.abs(causal! - both!) > 1e-4).toBe(kind.bothWays !== "ignored");
  });

  it("write what full passes write", async () => {
    const prompts = ROWS.map((row) => row.slice(0, 11));
    const attending = attendingTo(RANGES["images"]!);
    const decoder = decoderOf(kind);
    const scope = testScope(weights);
    const batchFor = (rows: readonly number[][]): LoadedBatch => {
      const width = 14;
      return batchOf(
        rows,
        rows.map(({ length }) => width - length),
      );
    };
    const batch = batchFor(prompts);
    const written = await generate(
      {
        decoder,
        batch,
        scope,
        attending,
        features: [scope.parameter(FEATURES)],
        mix: (rows) => mixTokens(batch.tokenIds, [placesOf(batch)], rows),
        eosTokenIds: [],
      },
      { maxNewTokens: 3 },
    );
    const rows = prompts.map((row) => [...row]);
    for (let step = 0; step < 3; step++) {
      const whole = batchFor(rows);
      const output = new DecodedBatch({
        decoder,
        batch: whole,
        scope,
        attending,
        features: [scope.parameter(FEATURES)],
        mix: (kept) => mixTokens(whole.tokenIds, [placesOf(whole)], kept),
      });
      const last = Int32Array.from(rows, ({ length }, sample) => sample * 14 + length - 1);
      const ids = tf.tidy(() => tf.argMax(output.logits(last).tensor, -1).dataSync());
      rows.forEach((row, sample) => row.push(ids[sample]!));
    }
    scope.tape.dispose();
    expect(written).toEqual(rows.map((row) => row.slice(-3)));
  });
});

it("needs rows to the end of a range that a needed row lies in", () => {
  const batch = { batchSize: 2, tokenCount: 10 };
  const rows = Int32Array.of(2, 4, 13);
  expect(neededEnds(batch, rows, [])).toEqual([5, 4]);
  expect(
    neededEnds(batch, rows, [
      { first: 3, end: 8 },
      { first: 14, end: 18 },
    ]),
  ).toEqual([8, 4]);
});
