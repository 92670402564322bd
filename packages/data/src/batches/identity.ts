import type { SampleSet } from "@thaw/contracts";
import { placeholdersOf, type Processor } from "../media/processor.js";
import { MODALITIES } from "../samples/media-reference.js";
import type { Peek } from "./peek.js";
import { hashOf, stretchSize, type Surveyed } from "./survey.js";

/** What was seen of a set's samples and items. */
export interface SampleLooks {
  readonly surveyed: Surveyed;
  /** By the key of an item. */
  readonly peeks: ReadonlyMap<string, Peek>;
}

/**
 * Hashes of what batches are made of, by stretches of the set; image contents (their sizes, beginnings and ends) only
 * where all were looked at. Of a set that was not read whole, hashes of the bytes that its records are made of.
 */
export async function identityOf(
  samples: SampleSet,
  processor: Processor,
  { surveyed, peeks }: SampleLooks,
  isWhole: boolean,
): Promise<Readonly<Record<string, string>>> {
  const identity: Record<string, string> = {};
  const { count } = samples;
  const size = stretchSize(count);
  for (let first = 0; first < count; first += size) {
    const end = Math.min(count, first + size);
    const name = end === first + 1 ? `sample ${end}` : `samples ${first + 1} to ${end}`;
    if (!isWhole) {
      const hash = await samples.fingerprint?.(first, end);
      if (hash !== undefined) identity[name] = hash;
      continue;
    }
    identity[name] = surveyed.stretches[first / size]!;
    const looks = surveyed.keys.slice(first, end).flatMap((keys) => keys.map((key) => peeks.get(key)?.hash));
    const kinds = surveyed.hasSound.slice(first, end).includes(true) ? "items" : "images";
    if (looks.length > 0 && looks.every((look) => look !== undefined)) identity[`${kinds} of ${name}`] = hashOf(looks);
  }
  identity["the tokenizer or the chat template"] = hashOf(probe(processor));
  return identity;
}

/** What tokenizer and template make of a sample that every set could have. */
function probe({ tokenizer, template, media, endTokenIds }: Processor): unknown {
  const text = 'A small dog, 3 years old: "déjà vu" 東京 🐕\n';
  const messages = [
    {
      role: "user",
      content: [...MODALITIES.filter((kind) => media[kind]).map((type) => ({ type })), { type: "text" as const, text }],
    },
    { role: "assistant", content: [{ type: "text" as const, text }] },
  ];
  let rendered: string | undefined;
  try {
    rendered = template?.render(messages);
  } catch {
    rendered = "refused";
  }
  return [
    tokenizer.encode(text),
    tokenizer.vocabularySize,
    rendered,
    Object.values(placeholdersOf(media)).join(),
    endTokenIds,
  ];
}
