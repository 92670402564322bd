import { append } from "@thaw/contracts";

/** Scores of captions against references, each from 0 to 1. */
export interface CaptionScores {
  readonly exactMatch: number;
  readonly tokenF1: number;
}

/** Words of a caption, split at white space. */
export function wordsOf(caption: string): string[] {
  return caption.split(/\s+/).filter((word) => word !== "");
}

/** How often each of these is there. */
export function countsOf<Item>(items: Iterable<Item>): Map<Item, number> {
  const counts = new Map<Item, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

/** F1 of words as multisets; two texts without words agree. */
export function wordF1(answer: readonly string[], reference: readonly string[]): number {
  if (answer.length === 0 || reference.length === 0) return answer.length === reference.length ? 1 : 0;
  const wanted = countsOf(reference);
  let overlap = 0;
  for (const [word, count] of countsOf(answer)) overlap += Math.min(count, wanted.get(word) ?? 0);
  return (2 * overlap) / (answer.length + reference.length);
}

/**
 * F1 of the words as multisets (SQuAD's measure, Rajpurkar et al., arXiv:1606.05250, without its text cleaning); two
 * empty captions agree.
 */
export function tokenF1(prediction: string, reference: string): number {
  return wordF1(wordsOf(prediction), wordsOf(reference));
}

/** 1 where the words are the same, in order. */
export function exactMatch(prediction: string, reference: string): number {
  return wordsOf(prediction).join(" ") === wordsOf(reference).join(" ") ? 1 : 0;
}

/** Means over samples; 0 of none. */
export function scoreCaptions(
  pairs: readonly { readonly prediction: string; readonly reference: string }[],
): CaptionScores {
  const mean = (score: (prediction: string, reference: string) => number): number =>
    pairs.length === 0
      ? 0
      : pairs.reduce((sum, { prediction, reference }) => sum + score(prediction, reference), 0) / pairs.length;
  return { exactMatch: mean(exactMatch), tokenF1: mean(tokenF1) };
}

/**
 * The caption that, said of every sample, has the best mean token F1 on `captions`, chosen among them; the first of
 * equals. Overlaps are summed word by word over an index, so that thousands of captions take milliseconds.
 */
export function majorityCaption(captions: readonly string[]): string | undefined {
  const parsed = captions.map((caption) => countsOf(wordsOf(caption)));
  const lengths = parsed.map((words) => [...words.values()].reduce((sum, count) => sum + count, 0));
  const index = new Map<string, { readonly caption: number; readonly count: number }[]>();
  parsed.forEach((words, caption) => {
    for (const [word, count] of words) append(index, word, { caption, count });
  });
  let best: { readonly caption: string; readonly score: number } | undefined;
  const tried = new Set<string>();
  for (const [position, caption] of captions.entries()) {
    if (tried.has(caption)) continue;
    tried.add(caption);
    const overlaps = new Map<number, number>();
    for (const [word, count] of parsed[position] as Map<string, number>) {
      for (const other of index.get(word) as { caption: number; count: number }[])
        overlaps.set(other.caption, (overlaps.get(other.caption) ?? 0) + Math.min(count, other.count));
    }
    let score = 0;
    for (const [other, overlap] of overlaps)
      score += (2 * overlap) / ((lengths[position] as number) + (lengths[other] as number));
    if (best === undefined || score > best.score) best = { caption, score };
  }
  return best?.caption;
}
