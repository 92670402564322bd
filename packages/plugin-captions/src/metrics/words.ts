/** Words of a text, split at white space. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
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
