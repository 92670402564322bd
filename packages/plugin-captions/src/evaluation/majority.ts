import { append } from "@thaw/core";
import { countsOf, wordsOf } from "../metrics/words.js";

/**
 * The answer that, said of every sample, has the best mean F1 of words on `answers`, chosen among them; the first of
 * equals. Overlaps are summed word by word over an index, so that thousands of answers take milliseconds.
 */
export function majorityAnswer(answers: readonly string[]): string | undefined {
  const parsed = answers.map((answer) => countsOf(wordsOf(answer)));
  const lengths = parsed.map((words) => [...words.values()].reduce((sum, count) => sum + count, 0));
  const index = new Map<string, { readonly answer: number; readonly count: number }[]>();
  parsed.forEach((words, answer) => {
    for (const [word, count] of words) append(index, word, { answer, count });
  });
  let best: { readonly answer: string; readonly score: number } | undefined;
  const tried = new Set<string>();
  for (const [position, answer] of answers.entries()) {
    if (tried.has(answer)) continue;
    tried.add(answer);
    const overlaps = new Map<number, number>();
    for (const [word, count] of parsed[position] as Map<string, number>) {
      for (const other of index.get(word) as { answer: number; count: number }[])
        overlaps.set(other.answer, (overlaps.get(other.answer) ?? 0) + Math.min(count, other.count));
    }
    let score = 0;
    for (const [other, overlap] of overlaps)
      score += (2 * overlap) / ((lengths[position] as number) + (lengths[other] as number));
    if (best === undefined || score > best.score) best = { answer, score };
  }
  return best?.answer;
}
