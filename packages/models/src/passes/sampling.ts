import { mulberry32, type GenerationOptions, type Random, type SamplingOptions } from "@thaw/contracts";

/** Chooses a row's next id from its logits `[vocabulary]` and the ids that stand before it. */
export type TokenChoice = (row: number, logits: Float32Array, before: readonly number[]) => number;

/**
 * Choices as transformers makes them (5.23, `generation/logits_process.py`), in its order: repetition penalty,
 * temperature, the `topK` best, the smallest set of `topP`, at least `minP` of the best one's probability. Each row has
 * its own random numbers, so that a row gets what it gets alone. Undefined where the largest logit is the answer, which
 * needs no logit on the host.
 */
export function tokenChoice({ repetitionPenalty = 1, sampling }: GenerationOptions): TokenChoice | undefined {
  if (sampling === undefined && repetitionPenalty === 1) return undefined;
  const streams = new Map<number, Random>();
  return (row, logits, before) => {
    const scores = repetitionPenalty === 1 ? logits : penalize(logits, before, repetitionPenalty);
    if (sampling === undefined) return largest(scores);
    const random = streams.get(row) ?? mulberry32(Math.imul((sampling.seed ?? 0) + 1, 0x9e3779b1) ^ row);
    streams.set(row, random);
    return draw(scores, sampling, random());
  };
}

/** Logits of ids that are there already: divided by the penalty, or multiplied where they are negative. */
function penalize(logits: Float32Array, before: readonly number[], penalty: number): Float32Array {
  const scores = logits.slice();
  for (const id of new Set(before)) {
    const score = logits[id];
    if (score !== undefined) scores[id] = score < 0 ? score * penalty : score / penalty;
  }
  return scores;
}

/** The id at which the probabilities of those that may be drawn add up to `at` of their sum. */
function draw(scores: Float32Array, options: SamplingOptions, at: number): number {
  const { temperature = 1 } = options;
  const best = largest(scores);
  if (temperature === 0) return best;
  const weigh = (score: number): number => Math.exp((score - scores[best]!) / temperature);
  const least = leastScore(scores, weigh, options);
  let left = at * scores.reduce((sum, score) => (score < least ? sum : sum + weigh(score)), 0);
  for (const [id, score] of scores.entries()) {
    if (score < least) continue;
    left -= weigh(score);
    if (left < 0) return id;
  }
  return best;
}

/** The smallest score that may be drawn; equal ones go together. */
function leastScore(
  scores: Float32Array,
  weigh: (score: number) => number,
  { topK = scores.length, topP = 1, minP = 0 }: SamplingOptions,
): number {
  if (topK >= scores.length && topP >= 1 && minP <= 0) return -Infinity;
  const descending = scores.slice().sort().reverse();
  const candidates = descending.subarray(0, topK);
  const wanted = topP * candidates.reduce((sum, score) => sum + weigh(score), 0);
  let [sum, count] = [0, 0];
  while (count < candidates.length && (count === 0 || (sum < wanted && weigh(candidates[count]!) >= minP)))
    sum += weigh(candidates[count++]!);
  return candidates[count - 1]!;
}

function largest(scores: Float32Array): number {
  return scores.reduce((best, score, id) => (score > scores[best]! ? id : best), 0);
}
