import { readFileSync } from "node:fs";
import { join } from "node:path";

interface TokenizerFile {
  /** Unigram models list `[token, score]`, the others map token to id. */
  readonly model?: { readonly vocab?: Readonly<Record<string, number>> | readonly (readonly [string, number])[] };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
}

/** Ids by token, from the `tokenizer.json` of a checkpoint's folder; undefined where there is none that can be read. */
export function readVocabulary(folder: string): ReadonlyMap<string, number> | undefined {
  try {
    const { model, added_tokens: added = [] } = JSON.parse(
      readFileSync(join(folder, "tokenizer.json"), "utf8"),
    ) as TokenizerFile;
    const vocabulary = model?.vocab ?? {};
    const known = Array.isArray(vocabulary)
      ? vocabulary.map(([token]: readonly [string, number], id) => [token, id] as const)
      : Object.entries(vocabulary as Readonly<Record<string, number>>);
    return new Map([...known, ...added.map(({ content, id }) => [content, id] as const)]);
  } catch {
    return undefined;
  }
}
