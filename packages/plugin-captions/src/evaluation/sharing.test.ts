import { memoryEnsembles, type Ensemble, type Session } from "@thaw/core";
import { sampleList, type DataSource, type Sample } from "@thaw/data";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerMetrics, choiceMetrics, chosenMetrics } from "../choosing/chosen-metrics.js";
import { METRICS } from "../metrics/list.js";
import { measureAnswers } from "./answer-evaluator.js";
import { measureChoices } from "./choice-evaluation.js";
import { shareOf } from "./sharing.js";

const chosen = chosenMetrics(["token_f1", "bleu", "choice_accuracy"], METRICS);

/** Samples whose answers are numbers; the model is right about every other one, and prefers choice 1. */
function setOf(count: number) {
  const samples = Array.from(
    { length: count },
    (_, index) =>
      ({
        id: `${index}`,
        reference: `a ${index} of ${count}`,
        choices: { answers: ["no", "yes", "or so"].slice(0, 2 + (index % 2)), right: index % 2 },
        media: [],
        origin: `set:${index}`,
      }) as unknown as Sample,
  );
  const answered: number[] = [];
  const source = {
    name: "set",
    samples: sampleList(samples, "set"),
    processor: { tokenizer: { decode: ([id]: number[]) => (id! % 2 === 0 ? samples[id!]!.reference : "a b c d") } },
    async *prompts({ microBatchSize, indices }: { microBatchSize: number; indices: readonly number[] }) {
      for (let at = 0; at < indices.length; at += microBatchSize)
        yield { indices: indices.slice(at, at + microBatchSize) };
    },
    async *choices({ microBatchSize, indices }: { microBatchSize: number; indices: readonly number[] }) {
      const rows = indices.flatMap((index) => samples[index]!.choices!.answers.map((_, choice) => [index, choice]));
      for (let at = 0; at < rows.length; at += microBatchSize) {
        const batch = rows.slice(at, at + microBatchSize);
        yield { indices: batch.map(([index]) => index), choices: batch.map(([, choice]) => choice) };
      }
    },
  } as unknown as DataSource;
  const session = {
    generate: async (batch: { readonly indices: readonly number[] }) => {
      answered.push(...batch.indices);
      return batch.indices.map((index) => [index]);
    },
    losses: async (batch: { readonly indices: readonly number[]; readonly choices: readonly number[] }) =>
      batch.indices.map((index, row) => ({
        lossSum: Math.abs(batch.choices[row]! - 1) + Math.fround(Math.sin(index)) / 3,
        supervisedTokenCount: 2,
      })),
  } as unknown as Session;
  return { source, session, answered };
}

const measure = async (
  kind: "answers" | "choices",
  count: number,
  microBatchSize: number,
  ensemble?: Bound,
  isStopping = (): boolean => false,
) => {
  const { source, session, answered } = setOf(count);
  const common = { source, microBatchSize, isStopping, ...(ensemble && { ensemble }) };
  const result =
    kind === "answers"
      ? await measureAnswers(session, { ...common, metrics: answerMetrics(chosen), concepts: "all" })
      : await measureChoices(session, { ...common, metrics: choiceMetrics(chosen) });
  return { result, answered };
};

/** As ensembles of processes are: what is called needs to know of whom. */
class Bound {
  readonly #inner: Ensemble;
  readonly rank: number;
  readonly size: number;

  constructor(inner: Ensemble) {
    this.#inner = inner;
    this.rank = inner.rank;
    this.size = inner.size;
  }

  gather<T>(value: T): Promise<readonly T[]> {
    return this.#inner.gather(value);
  }
}

const bound = (size: number): readonly Bound[] => memoryEnsembles(size).map((one) => new Bound(one));

describe.each(["answers", "choices"] as const)("%s shared by processes", (kind) => {
  it("are what one makes, each once in all, in order", async () => {
    const sizes = { count: fc.integer({ min: 1, max: 17 }), batch: fc.integer({ min: 1, max: 6 }) };
    await fc.assert(
      fc.asyncProperty(
        sizes.count,
        sizes.batch,
        fc.integer({ min: 2, max: 5 }),
        async (count, microBatchSize, size) => {
          const one = await measure(kind, count, microBatchSize);
          const all = await Promise.all(bound(size).map((rank) => measure(kind, count, microBatchSize, rank)));
          for (const { result } of all) expect(result).toEqual(one.result);
          const answered = all.flatMap((rank) => rank.answered);
          expect(answered.toSorted((a, b) => a - b)).toEqual(one.answered);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("end for all where one is told to stop", async () => {
    const all = await Promise.all(bound(3).map((rank) => measure(kind, 12, 2, rank, () => rank.rank === 1)));
    expect(all.map(({ result }) => result)).toEqual([undefined, undefined, undefined]);
  });
});

it("leaves no process without a part while there are as many samples", () => {
  const items = [...Array(7).keys()];
  const parts = [0, 1, 2].map((rank) => shareOf(items, 32, { rank, size: 3 }));
  expect(parts.map(({ mine }) => mine)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  expect(shareOf(items, 2, { rank: 1, size: 2 })).toEqual({ batchSize: 2, mine: [2, 3, 6] });
});
