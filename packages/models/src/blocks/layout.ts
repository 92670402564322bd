/** Ways in which files spell the prefix of one part; the first is what published checkpoints have. */
export type PrefixChoices = readonly [string, ...string[]];

/**
 * The prefix under which the stored names hold `probe` (`encoder.layers`); the first choice if none does, so that
 * messages about missing tensors speak of published names.
 */
export function findPrefix(storedNames: ReadonlySet<string>, choices: PrefixChoices, probe: string): string {
  const starts = choices.map((prefix) => `${prefix}.${probe}.`);
  const found = new Set<number>();
  for (const name of storedNames)
    for (const [index, start] of starts.entries()) if (name.startsWith(start)) found.add(index);
  return choices[Math.min(...found, choices.length)] ?? choices[0];
}
