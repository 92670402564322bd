/** Byte-pair encoding learned from a text, as the merges and vocabulary that `tokenizer.json` holds. */
export interface BpeModel {
  /** Token to id, in id order: specials, alphabet, then merges in the order they were learned. */
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly merges: readonly (readonly [string, string])[];
}

interface Word {
  symbols: string[];
  readonly count: number;
}

/**
 * Learns merges by frequency (Sennrich et al., arXiv 1508.07909) until the vocabulary has `vocabularySize` tokens or
 * nothing is left to merge. Ties go to the pair that sorts first, so the result does not depend on the order of the
 * words. `words` are pre-tokenized pieces with their counts, such as `▁face`.
 */
export function trainBpe(
  words: ReadonlyMap<string, number>,
  vocabularySize: number,
  specials: readonly string[],
): BpeModel {
  const alphabet = [...new Set([...words.keys()].flatMap((word) => Array.from(word)))].sort();
  const tokens = [...specials, ...alphabet];
  const merges: [string, string][] = [];
  const corpus: Word[] = [...words].map(([word, count]) => ({ symbols: Array.from(word), count }));
  const known = new Set(tokens);
  while (tokens.length < vocabularySize) {
    const best = mostFrequentPair(corpus);
    if (best === undefined) break;
    merges.push(best);
    for (const word of corpus) word.symbols = mergePair(word.symbols, best);
    const merged = best[0] + best[1];
    if (!known.has(merged)) tokens.push(merged);
    known.add(merged);
  }
  return { vocabulary: new Map(tokens.map((token, id) => [token, id])), merges };
}

/**
 * Counts the pieces that the Metaspace pre-tokenizer makes of texts: a space becomes `▁` and begins a piece; nothing
 * is put before a text.
 */
export function countPieces(texts: Iterable<{ readonly text: string; readonly count: number }>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { text, count } of texts) {
    for (const piece of splitPieces(text)) counts.set(piece, (counts.get(piece) ?? 0) + count);
  }
  return counts;
}

function splitPieces(text: string): string[] {
  return text
    .replaceAll(" ", "▁")
    .split(/(?=▁)/u)
    .filter((piece) => piece !== "");
}

function mostFrequentPair(corpus: readonly Word[]): [string, string] | undefined {
  const counts = new Map<string, number>();
  for (const { symbols, count } of corpus) {
    for (let index = 0; index + 1 < symbols.length; index += 1) {
      const pair = `${symbols[index]} ${symbols[index + 1]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best: string | undefined;
  let bestCount = 0;
  for (const [pair, count] of counts) {
    if (count > bestCount || (count === bestCount && best !== undefined && pair < best))
      [best, bestCount] = [pair, count];
  }
  return best?.split(" ") as [string, string] | undefined;
}

function mergePair(symbols: readonly string[], [left, right]: readonly [string, string]): string[] {
  const merged: string[] = [];
  for (let index = 0; index < symbols.length; index += 1) {
    if (symbols[index] === left && symbols[index + 1] === right) {
      merged.push(left + right);
      index += 1;
    } else {
      merged.push(symbols[index] as string);
    }
  }
  return merged;
}

/** Ids of a text, as `tokenizer.json` would encode it: pieces by Metaspace, merges in the order they were learned. */
export function encodeBpe(model: BpeModel, text: string): number[] {
  const ranks = new Map(model.merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
  return splitPieces(text).flatMap((piece) => encodePiece(model, ranks, piece));
}

function encodePiece(model: BpeModel, ranks: ReadonlyMap<string, number>, piece: string): number[] {
  let symbols = Array.from(piece);
  for (;;) {
    let best: [string, string] | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    for (let index = 0; index + 1 < symbols.length; index += 1) {
      const pair = [symbols[index] as string, symbols[index + 1] as string] as [string, string];
      const rank = ranks.get(pair.join(" "));
      if (rank !== undefined && rank < bestRank) [best, bestRank] = [pair, rank];
    }
    if (best === undefined) return symbols.map((symbol) => model.vocabulary.get(symbol) ?? 0);
    symbols = mergePair(symbols, best);
  }
}
