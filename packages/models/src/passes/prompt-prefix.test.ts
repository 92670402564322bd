import * as tf from "@tensorflow/tfjs-core";
import type { LoadedBatch, Model, RowCounts, Rows, Scope } from "@thaw/contracts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LLAVA_FOLDER } from "../../test-support/checkpoint.js";
import { useBackend } from "../../test-support/golden.js";
import { IMAGE, patchRows } from "../../test-support/images.js";
import { batchOf, loadWeights, testScope } from "../../test-support/scope.js";
import { openModel } from "../open/open-model.js";
import { sightOf } from "./attending.js";
import { planPrompts } from "./row-plan.js";

const PATCHES = Array.from({ length: 16 }, () => IMAGE);
const SHARED = [1, 17, 23, 99, 41, 64];
let model: Model;
let weights: Map<string, tf.Tensor>;
let pixels: Rows;
let tensorsBefore: number;

beforeAll(async () => {
  await useBackend("cpu");
  model = await openModel(LLAVA_FOLDER);
  weights = await loadWeights(model);
  const values = tf.tidy(() => tf.randomNormal([2, 3, 28, 28], 0, 1, "float32", 5).dataSync<"float32">().slice());
  pixels = patchRows(values, [2, 3, 28, 28]);
});
afterAll(() => tf.dispose([pixels.tensor, ...weights.values()]));
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

/** Two samples with an image each; the last two tokens of each are learnt. */
function images(
  first: readonly number[],
  second: readonly number[],
  segmentOutputs: LoadedBatch["segmentOutputs"] = {},
): LoadedBatch {
  const rows = [
    [...first, ...PATCHES, 30, 31, 32],
    [...second, ...PATCHES, 40, 41, 42],
  ];
  const longest = Math.max(...rows.map(({ length }) => length));
  return {
    ...batchOf(
      rows,
      rows.map(({ length }) => longest - length),
      { pixelValues: pixels },
    ),
    segmentOutputs,
  };
}

/**
 * Loss, counts and the projector's gradient on the last three tokens but one of each sample. `kept`: what earlier
 * passes left; without it the scope keeps nothing.
 */
function pass(
  batch: LoadedBatch,
  kept?: Map<string, readonly tf.Tensor[]>,
): { readonly loss: number; readonly counts: RowCounts; readonly gradient: Float32Array } {
  const name = "multi_modal_projector.linear_1.weight";
  const scope = testScope(weights, (parameter) => parameter.startsWith("multi_modal_projector"));
  const keeping: Scope =
    kept === undefined
      ? scope
      : {
          ...scope,
          kept: (_, key, make) => {
            let made = kept.get(key);
            if (made === undefined)
              scope.tape.noGrad(() =>
                scope.tape.tidy(() => {
                  made = make();
                  return [];
                }),
              );
            kept.set(key, made!);
            return made;
          },
        };
  const ends = Array.from({ length: batch.batchSize }, (_, sample) =>
    batch.attentionMask
      .subarray(sample * batch.tokenCount, (sample + 1) * batch.tokenCount)
      .reduce((sum, real) => sum + real, 0),
  );
  const rows = Int32Array.from(
    ends.flatMap((end, sample) => [sample * batch.tokenCount + end - 3, sample * batch.tokenCount + end - 2]),
  );
  try {
    const output = model.forward(batch, keeping);
    const loss = output.crossEntropy(
      rows,
      rows.map((row) => batch.tokenIds[row + 1]!),
    );
    const value = loss.tensor.dataSync()[0]!;
    const [gradient] = scope.tape.backward(loss, [scope.parameter(name)]);
    const values = gradient!.dataSync<"float32">().slice();
    gradient!.dispose();
    return { loss: value, counts: output.rowCounts!, gradient: values };
  } finally {
    scope.tape.dispose();
  }
}

function expectSame(batch: LoadedBatch, kept: Map<string, readonly tf.Tensor[]>): RowCounts {
  const [plain, shared] = [pass(batch), pass(batch, kept)];
  expect(plain.counts).toMatchObject({ prefix: 0, prefixComputed: 0 });
  expect(Math.abs(shared.loss / plain.loss - 1)).toBeLessThan(1e-6);
  const largest = plain.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(
    plain.gradient.reduce((most, value, at) => Math.max(most, Math.abs(value - shared.gradient[at]!)), 0),
  ).toBeLessThan(1e-5 * largest);
  return shared.counts;
}

describe("prompts before the first image", () => {
  let kept: Map<string, readonly tf.Tensor[]>;
  beforeEach(() => {
    kept = new Map();
  });
  afterEach(() => {
    for (const tensors of kept.values()) tf.dispose([...tensors]);
  });

  it("are computed once where they are equal, and not again in later passes", () => {
    expect(expectSame(images(SHARED, SHARED), kept)).toMatchObject({ prefix: 12, prefixComputed: 6 });
    expect(pass(images(SHARED, SHARED), kept).counts).toMatchObject({ prefix: 12, prefixComputed: 0 });
  });

  it("share their beginning; what differs is computed unrecorded", () => {
    expect(expectSame(images([...SHARED, 7, 8, 9], [...SHARED, 10]), kept)).toMatchObject({
      prefix: 16,
      prefixComputed: 6 + 3 + 1,
    });
    expect(pass(images([...SHARED, 12], [...SHARED, 13, 14, 15, 16]), kept).counts).toMatchObject({
      prefix: 17,
      prefixComputed: 1 + 4,
    });
    expect(expectSame(images(SHARED, [...SHARED, 7, 8]), kept)).toMatchObject({ prefix: 14, prefixComputed: 2 });
  });

  it("may have nothing in common, or be there in one sample alone", () => {
    expect(expectSame(images(SHARED, [2, ...SHARED]), kept)).toMatchObject({ prefix: 13, prefixComputed: 13 });
    expect(expectSame(images(SHARED, []), kept)).toMatchObject({ prefix: 6, prefixComputed: 6 });
  });

  it("are recorded where there are few of them, and where a plugin gives outputs of the language model", () => {
    expect(pass(images([1, 17], [1]), kept).counts).toMatchObject({ prefix: 0 });
    const known = { "language_model.layers.9": pixels };
    expect(pass(images(SHARED, SHARED, known), kept).counts).toMatchObject({ prefix: 0 });
    expect(kept.size).toBe(0);
  });
});

describe("planned prompts", () => {
  const lengths = (
    rows: readonly (readonly number[])[],
    pads: readonly number[],
    supervised: readonly number[],
  ): readonly number[] | undefined => {
    const batch = batchOf(rows, pads);
    return planPrompts(batch, Int32Array.from(supervised), sightOf(undefined, batch), [])?.lengths;
  };
  it("ends before the first image, and before the first row that the loss reads", () => {
    expect(
      lengths(
        [
          [1, 2, 3, 4, 5, IMAGE, 6, 7],
          [1, 2, 3, 4, 5, 6, 7, 8],
          [IMAGE, 1, 2, 3, 4, 5, 6, 7],
        ],
        [],
        [6, 12, 13, 22],
      ),
    ).toEqual([5, 4, 0]);
  });
  it("is 0 in a sample of which the loss reads nothing", () => {
    expect(
      lengths(
        [
          [1, 2, 3, 4, 5, 6],
          [1, 2, 3, 4, 5, 6],
        ],
        [],
        [4],
      ),
    ).toEqual([4, 0]);
  });
  it("is nothing where padding comes first, or all are short", () => {
    expect(
      lengths(
        [
          [1, 2, 3, 4, 5, 6],
          [1, 2, 3, 4],
        ],
        [0, -2],
        [5, 11],
      ),
    ).toBeUndefined();
    expect(lengths([[1, 2, 3, IMAGE, 5, 6]], [], [5])).toBeUndefined();
    expect(lengths([[1, 2, 3, 4, ...Array.from({ length: 100 }, () => IMAGE), 5, 6]], [], [105])).toBeUndefined();
  });
});
