/**
 * Keys that occur more than once in a JSON object or in an object directly inside of it (`tensor.dtype`), which
 * `JSON.parse` drops silently. `text` must be valid JSON; each character is looked at once.
 */
export function duplicateKeys(text: string): readonly string[] {
  const twice = new Set<string>();
  /** Keys of the objects that are open, the outer first; null for a list and for what lies deeper. */
  const open: (Set<string> | null)[] = [];
  let outer = "";
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === "{" || letter === "[") open.push(letter === "{" && open.length < 2 ? new Set() : null);
    else if (letter === "}" || letter === "]") open.pop();
    else if (letter === '"') {
      const end = stringEnd(text, at);
      const seen = open.at(-1);
      if (seen instanceof Set && isKey(text, end)) {
        const key = JSON.parse(text.slice(at, end + 1)) as string;
        if (open.length === 1) outer = key;
        if (seen.has(key)) twice.add(open.length === 1 ? key : `${outer}.${key}`);
        seen.add(key);
      }
      at = end;
    }
  }
  return [...twice];
}

/** Place of the quote that ends the string which begins at a place. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

/** True where a colon follows the string that ends at a place. */
function isKey(text: string, end: number): boolean {
  let at = end + 1;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at += 1;
  return text[at] === ":";
}
