import { readCheckpointJson } from "./checkpoint-file.js";

interface TokenizerFile {
  /** Unigram models list `[token, score]`, the others map token to id. */
  readonly model?: { readonly vocab?: Readonly<Record<string, number>> | readonly (readonly [string, number])[] };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
}

/** Ids by token, from the `tokenizer.json` of a checkpoint's folder; undefined where there is none that can be read. */
export async function readVocabulary(folder: string): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const file = (await readCheckpointJson(folder, "tokenizer.json")) as TokenizerFile | undefined;
    if (file === undefined) return undefined;
    const { model, added_tokens: added = [] } = file;
    const vocabulary = model?.vocab ?? {};
    const known = Array.isArray(vocabulary)
      ? vocabulary.map(([token]: readonly [string, number], id) => [token, id] as const)
      : Object.entries(vocabulary as Readonly<Record<string, number>>);
    return new Map([...known, ...added.map(({ content, id }) => [content, id] as const)]);
  } catch {
    return undefined;
  }
}
