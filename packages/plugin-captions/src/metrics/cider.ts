import type { MetricFactory, ScoredAnswer } from "@thaw/core";
import { countsOf } from "./words.js";
import { z } from "zod";
import { captionWords } from "./caption-words.js";
import { gramsOf, meanOf } from "./mean.js";

const ciderSchema = z.strictObject({});

/** Longest run of words, width of the penalty for another length, and factor of `cider_scorer.py`. */
const ORDERS = 4;
const SIGMA = 6;
const FACTOR = 10;

type Counts = readonly ReadonlyMap<string, number>[];

/** A caption's runs by length, weighted by how rare they are. */
interface Weighted {
  readonly vectors: Counts;
  readonly norms: readonly number[];
  /** Pairs of words, by which `cider_scorer.py` tells lengths. */
  readonly length: number;
}

function runsOf(text: string): Counts {
  return gramsOf(captionWords(text), ORDERS).map(countsOf);
}

function weigh(counts: Counts, rarity: (gram: string) => number): Weighted {
  const vectors = counts.map((runs) => new Map([...runs].map(([gram, count]) => [gram, count * rarity(gram)])));
  const norms = vectors.map((vector) => Math.sqrt([...vector.values()].reduce((sum, value) => sum + value ** 2, 0)));
  return { vectors, norms, length: [...counts[1]!.values()].reduce((sum, count) => sum + count, 0) };
}

/** Mean over lengths of runs of the clipped cosine. */
function likeness(said: Weighted, wanted: Weighted): number {
  const penalty = Math.exp(-((said.length - wanted.length) ** 2) / (2 * SIGMA ** 2));
  const cosines = said.vectors.map((vector, order) => {
    let product = 0;
    for (const [gram, value] of vector) {
      const other = wanted.vectors[order]!.get(gram) ?? 0;
      product += Math.min(value, other) * other;
    }
    const norm = said.norms[order]! * wanted.norms[order]!;
    return norm === 0 ? product : product / norm;
  });
  return (penalty * cosines.reduce((sum, cosine) => sum + cosine, 0)) / ORDERS;
}

function ciderOf(answers: readonly ScoredAnswer[]): number[] {
  const references = answers.map((scored) => scored.references.map(runsOf));
  const frequencies = countsOf(
    references.flatMap((all) => [...new Set(all.flat().flatMap((runs) => [...runs.keys()]))]),
  );
  const rarity = (gram: string): number => Math.log(answers.length) - Math.log(Math.max(1, frequencies.get(gram) ?? 0));
  return answers.map(({ answer }, index) => {
    const said = weigh(runsOf(answer), rarity);
    const all = references[index]!.map((wanted) => likeness(said, weigh(wanted, rarity)));
    return (FACTOR * all.reduce((sum, one) => sum + one, 0)) / all.length;
  });
}

/**
 * CIDEr-D (Vedantam et al., arXiv:1411.5726), as pycocoevalcap 1.2 computes it (`cider_scorer.py`): 0 to 10, where
 * about 1 is a good caption of COCO. Rarity is counted over the references of the set, so a set of one sample has 0.
 */
export const cider: MetricFactory<z.output<typeof ciderSchema>> = {
  type: "cider",
  summary: "CIDEr-D of captions: runs of words that they share with the references, rare ones counting more.",
  better: "higher",
  schema: ciderSchema,
  make: () => ({ reads: "answers", score: (answers) => meanOf(ciderOf(answers)) }),
};
