import { fileURLToPath } from "node:url";
import { Registry, type Sample } from "@thaw/core";
import { openSource, sampleList, samplesIn, type DataSource } from "@thaw/data";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { testProcessor } from "../../../data/test-support/processor.js";
import { answerMetrics, chosenMetrics, DEFAULT_METRICS, metricsSchemaOf } from "../choosing/chosen-metrics.js";
import { METRICS } from "../metrics/list.js";
import { wordF1, wordsOf } from "../metrics/words.js";
import { evaluateAnswers } from "./answer-evaluation.js";
import { canCompareNeighbours } from "./answer-evaluator.js";
import { baselineAnswers } from "./baselines.js";
import { selectConcepts } from "./concept-filter.js";
import { majorityAnswer } from "./majority.js";
import { nearestPicture } from "./nearest-pixels.js";
import { spread } from "./tell-answers.js";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

it("looks for neighbours among few or small training pictures only", () => {
  const source = (sampleCount: number, size: number) =>
    ({ sampleCount, processor: { media: { image: { rasterSize: { width: size, height: size } } } } }) as Parameters<
      typeof canCompareNeighbours
    >[0];
  const compared = [source(1498, 48), source(300, 336), source(558_000, 336)].map(canCompareNeighbours);
  expect(compared).toEqual([true, true, false]);
});

it("spread picks evenly", () => {
  const numbers = Array.from({ length: 60 }, (_, index) => index);
  expect([spread(numbers, 3), spread([1, 2], 3)]).toEqual([
    [10, 30, 50],
    [1, 2],
  ]);
});

describe("majorityAnswer", () => {
  it("is the training caption with the best mean F1, the first of equals", () => {
    const caption = fc
      .array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 4 })
      .map((words) => words.join(" "));
    fc.assert(
      fc.property(fc.array(caption, { minLength: 1, maxLength: 12 }), (captions) => {
        const mean = (candidate: string): number =>
          captions.reduce((sum, other) => sum + wordF1(wordsOf(candidate), wordsOf(other)), 0);
        const best = Math.max(...captions.map(mean));
        expect(mean(majorityAnswer(captions)!)).toBeCloseTo(best, 9);
      }),
    );
    expect(majorityAnswer(["b", "a"])).toBe("b");
    expect(majorityAnswer([])).toBeUndefined();
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

it("makes the schema of a list of metrics once", () => {
  expect(metricsSchemaOf(METRICS)).toBe(metricsSchemaOf(METRICS));
  expect(metricsSchemaOf(METRICS.slice(0, 2))).not.toBe(metricsSchemaOf(METRICS));
  const registry = new Registry([{ name: "Own", provides: { metrics: METRICS } }]);
  expect(registry.all("metrics")).toBe(registry.all("metrics"));
  expect(registry.all("metrics")).toEqual(METRICS);
});

const metrics = answerMetrics(chosenMetrics([...DEFAULT_METRICS, "bleu"], METRICS));

describe("evaluateAnswers", () => {
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
    const result = await evaluateAnswers({
      metrics,
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
    expect(result.scores["exactMatch"]).toBeCloseTo(
      result.predictions.filter(({ index }) => index % 2 === 1).length / scored.length,
      12,
    );
    expect(result.scores["tokenF1"]).toBeGreaterThan(result.scores["exactMatch"]!);
    // BLEU is of the whole set: samples have no such score.
    expect(Object.keys(result.scores)).toEqual(["tokenF1", "exactMatch", "bleu"]);
    expect(Object.keys(result.predictions[0]!.scores)).toEqual(["tokenF1", "exactMatch"]);
    expect(Object.keys(result.baselines.majority!)).toEqual(Object.keys(result.scores));
    expect(Object.keys(result.baselines)).toEqual(["majority", "nearestNeighbour"]);
    expect(new Set(progress)).toEqual(new Set(["answers", "baselines"]));
  });

  it("has no baselines without a training set, and refuses an empty choice", async () => {
    const source = await open("noto", "train", 5);
    const generate = (batch: { indices: readonly number[] }): Promise<number[][]> =>
      Promise.resolve(batch.indices.map(() => []));
    expect(await evaluateAnswers({ metrics, source, generate, limit: 3 })).toMatchObject({
      samples: 3,
      unscored: 0,
      scores: { exactMatch: 0 },
      baselines: {},
    });
    await expect(evaluateAnswers({ metrics, source, generate, concepts: "unseen" })).rejects.toMatchObject({
      code: "THAW_CAPTIONS_CONCEPTS_EMPTY",
    });
  });

  it("lets the model write nothing where a metric has too little in a sample, and says in which", async () => {
    const source = await open("noto", "train", 5);
    const given = { metrics: answerMetrics(chosenMetrics(["exact_match", "vqa_accuracy"], METRICS)), source };
    const generate = (): never => {
      throw new Error("The model writes.");
    };
    await expect(evaluateAnswers({ ...given, generate })).rejects.toMatchObject({
      code: "THAW_CAPTIONS_ONE_ANSWER",
      message: expect.stringContaining(`In ${(await source.samples.read(0)).origin}.`) as string,
    });
  });

  it("finds a set's own pictures in itself", async () => {
    const training = await open("noto", "train", 25);
    const indices = [0, 3, 24];
    const { nearestNeighbour } = await baselineAnswers({ source: training, training, indices });
    const own = await Promise.all(indices.map((index) => training.samples.read(index)));
    expect(nearestNeighbour).toEqual(own.map(({ reference }) => reference));
  });
});
