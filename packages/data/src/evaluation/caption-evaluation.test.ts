import type { Sample } from "@thaw/contracts";
import fc from "fast-check";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { testProcessor } from "../../test-support/processor.js";
import { captionBaselines, captionEvaluation, selectConcepts } from "./caption-evaluation.js";
import { exactMatch, majorityCaption, scoreCaptions, tokenF1 } from "./caption-metrics.js";
import type { DataSource } from "../batches/data-source.js";
import { nearestPicture } from "./nearest-pixels.js";
import { openSource } from "../batches/source.js";
import { sampleList, samplesIn } from "../formats/sample-sets.js";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

describe("tokenF1", () => {
  it.each([
    ["red apple", "red apple", 1],
    ["apple red", "red apple", 1],
    ["red", "red apple", 2 / 3],
    ["red red", "red apple", 0.5],
    ["pear", "red apple", 0],
    ["", "red apple", 0],
    ["", "", 1],
    ["the the cat", "the cat the dog", 6 / 7],
  ])("of %j against %j is %d", (prediction, reference, expected) =>
    expect(tokenF1(prediction, reference)).toBeCloseTo(expected, 12),
  );

  it("is symmetric and 1 where exact", () => {
    const caption = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 5 }).map((words) => words.join(" "));
    fc.assert(
      fc.property(caption, caption, (left, right) => {
        expect(tokenF1(left, right)).toBe(tokenF1(right, left));
        if (exactMatch(left, right) === 1) expect(tokenF1(left, right)).toBe(1);
      }),
    );
  });
});

describe("scoreCaptions", () => {
  it("averages over samples, and blanks do not matter", () => {
    expect(
      scoreCaptions([
        { prediction: " red  apple ", reference: "red apple" },
        { prediction: "apple red", reference: "red apple" },
      ]),
    ).toEqual({ exactMatch: 0.5, tokenF1: 1 });
    expect(scoreCaptions([])).toEqual({ exactMatch: 0, tokenF1: 0 });
  });
});

describe("majorityCaption", () => {
  it("is the training caption with the best mean F1, the first of equals", () => {
    const caption = fc
      .array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 4 })
      .map((words) => words.join(" "));
    fc.assert(
      fc.property(fc.array(caption, { minLength: 1, maxLength: 12 }), (captions) => {
        const mean = (candidate: string): number => captions.reduce((sum, other) => sum + tokenF1(candidate, other), 0);
        const best = Math.max(...captions.map(mean));
        expect(mean(majorityCaption(captions)!)).toBeCloseTo(best, 9);
      }),
    );
    expect(majorityCaption(["b", "a"])).toBe("b");
    expect(majorityCaption([])).toBeUndefined();
  });
});

describe("nearestPicture", () => {
  it("finds what a plain search finds", () => {
    const shape = [2, 9, 7];
    const picture = fc
      .array(fc.integer({ min: -3, max: 3 }), { minLength: 126, maxLength: 126 })
      .map((list) => Float32Array.from(list));
    fc.assert(
      fc.property(fc.array(picture, { minLength: 1, maxLength: 8 }), picture, (values, wanted) => {
        const distances = values.map((value) =>
          value.reduce((sum, entry, index) => sum + (entry - wanted[index]!) ** 2, 0),
        );
        expect(nearestPicture({ shape, values })(wanted)).toBe(distances.indexOf(Math.min(...distances)));
      }),
      { numRuns: 60 },
    );
    expect(nearestPicture({ shape, values: [] })(new Float32Array(126))).toBe(-1);
  });
});

describe("selectConcepts", () => {
  // "cat-face" is an unseen concept, "grapes" and "rocket" are not.
  const samples = ["grapes", "cat-face", "rocket", undefined].map((concept) => ({ concept }) as Sample);
  const known = new Set(["grapes", "cat-face"]);

  it.each([
    ["known", known, [0, 1, 3], 1],
    ["seen", known, [0], 1],
    ["unseen", known, [1], 1],
    ["all", known, [0, 1, 2, 3], 0],
    ["known", new Set<string>(), [0, 1, 2, 3], 0],
    ["seen", new Set<string>(), [0, 2], 0],
  ] as const)("takes for %s, knowing %o, %j", async (filter, concepts, indices, unknown) => {
    expect(await selectConcepts(sampleList(samples, "a"), filter, concepts)).toEqual({ indices, unknown });
  });
});

describe("captionEvaluation", () => {
  const opened: DataSource[] = [];
  afterAll(() => Promise.all(opened.map((source) => source.close())));
  const open = async (set: string, role: "train" | "evaluation", limit: number): Promise<DataSource> => {
    const source = await openSource(
      { type: "iconify", set, limit },
      { processor: await testProcessor({ template: null }), baseFolder: root, role, workers: 0 },
    );
    opened.push(source);
    return source;
  };

  it("scores what is generated beside both baselines and counts unknown names", async () => {
    const [source, training] = [await open("twemoji", "evaluation", 60), await open("noto", "train", 40)];
    const progress: string[] = [];
    const own: Sample[] = [];
    for await (const sample of samplesIn(source.samples)) own.push(sample);
    const known = await training.knownConcepts();
    const result = await captionEvaluation({
      source,
      training,
      microBatchSize: 7,
      // Knows every name, but says it after its first word when asked about an even sample.
      generate: (batch) =>
        Promise.resolve(
          batch.indices.map((index) =>
            source.processor.tokenizer.encode(index % 2 === 0 ? `the ${own[index]!.reference}` : own[index]!.reference),
          ),
        ),
      onProgress: ({ stage }) => progress.push(stage),
    });
    const scored = own.filter(({ concept }) => known.has(concept!));
    expect(result.samples + result.unscored).toBe(60);
    expect(result.samples).toBe(scored.length);
    expect(result.predictions.map(({ reference }) => reference)).toEqual(scored.map(({ reference }) => reference));
    expect(result.exactMatch).toBeCloseTo(
      result.predictions.filter(({ index }) => index % 2 === 1).length / scored.length,
      12,
    );
    expect(result.tokenF1).toBeGreaterThan(result.exactMatch);
    expect(Object.keys(result.baselines)).toEqual(["majority", "nearestNeighbour"]);
    expect(new Set(progress)).toEqual(new Set(["captions", "baselines"]));
  });

  it("has no baselines without a training set, and refuses an empty choice", async () => {
    const source = await open("noto", "train", 5);
    const generate = (batch: { indices: readonly number[] }): Promise<number[][]> =>
      Promise.resolve(batch.indices.map(() => []));
    expect(await captionEvaluation({ source, generate, limit: 3 })).toMatchObject({
      samples: 3,
      unscored: 0,
      exactMatch: 0,
      baselines: {},
    });
    await expect(captionEvaluation({ source, generate, concepts: "unseen" })).rejects.toMatchObject({
      code: "THAW_DATA_CONCEPTS_EMPTY",
    });
  });

  it("finds a set's own pictures in itself", async () => {
    const training = await open("noto", "train", 25);
    const { nearestNeighbour } = await captionBaselines({ source: training, training, indices: [0, 3, 24] });
    expect(nearestNeighbour).toEqual({ exactMatch: 1, tokenF1: 1 });
  });
});
