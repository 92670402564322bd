/**
 * Keys that occur more than once at the top level of a JSON object, which `JSON.parse` drops silently.
 * `text` must be valid JSON.
 */
export function duplicateKeys(text: string): readonly string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gsu;
  let depth = 0;
  for (const [match, colon] of text.matchAll(token)) {
    if (match === "{" || match === "[") depth += 1;
    else if (match === "}" || match === "]") depth -= 1;
    else if (depth === 1 && colon !== undefined) {
      const key = JSON.parse(match.slice(0, match.length - colon.length)) as string;
      (seen.has(key) ? twice : seen).add(key);
    }
  }
  return [...twice];
}
