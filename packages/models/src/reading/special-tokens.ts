import type { Model } from "@thaw/contracts";
import { tokenIds, type ConfigReader } from "./config-reader.js";

/**
 * Ids that end an answer, and the one that pads: generation_config.json first, as transformers' `generate` does, then
 * config.json.
 */
export function readSpecialTokens(
  config: ConfigReader,
  text: ConfigReader,
  generation: ConfigReader,
): Pick<Model["text"], "eosTokenIds" | "padTokenId"> {
  const first = (key: string): readonly number[] =>
    [generation, text, config].map((reader) => tokenIds(reader, key)).find((ids) => ids.length > 0) ?? [];
  const eosTokenIds = first("eos_token_id");
  return { eosTokenIds, padTokenId: first("pad_token_id")[0] ?? eosTokenIds[0] ?? 0 };
}

/** What a family says of its text: positions, and the tokens of {@link readSpecialTokens}. */
export function textFacts(
  { maxPositions }: Pick<Model["text"], "maxPositions">,
  config: ConfigReader,
  generation: ConfigReader,
): Pick<Model["text"], "maxPositions" | "eosTokenIds" | "padTokenId"> {
  return { maxPositions, ...readSpecialTokens(config, config.child("text_config"), generation) };
}
