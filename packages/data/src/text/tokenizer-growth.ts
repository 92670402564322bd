/** How many times as long a tokenizer may make a text; real ones make it at most three times as long. */
const MOST_GROWTH = 64;

/**
 * True where what a tokenizer replaces in texts can make them so much longer that no memory holds them: a file of a few
 * lines that doubles a text thirty times. `part` is the normalizer or decoder of a `tokenizer.json`.
 */
export function growsTooMuch(part: unknown): boolean {
  return growthOf(part) > MOST_GROWTH;
}

/** Upper bound of the length that a part gives, for one character. */
function growthOf(part: unknown): number {
  if (typeof part !== "object" || part === null) return 1;
  const { type, pattern, content, normalizers, decoders } = part as Readonly<Record<string, unknown>>;
  if (type === "Replace") {
    const length = typeof content === "string" ? content.length : 0;
    const searched = (pattern as { readonly String?: unknown } | null | undefined)?.String;
    // An expression, as an empty text, may match at every place.
    return typeof searched === "string" && searched.length > 0 ? Math.max(1, length / searched.length) : 1 + length;
  }
  const inner = [normalizers, decoders].flatMap((list) => (Array.isArray(list) ? (list as readonly unknown[]) : []));
  return inner.reduce<number>((growth, one) => growth * growthOf(one), 1);
}
