import type { Model, ParameterInfo } from "@thaw/contracts";
import { tokenIds, type ConfigReader } from "../reading/config-reader.js";

/**
 * What a config says of the language model in the usual places, else 0, and its embeddings where one matrix alone can
 * be them: for models whose forward pass is not known.
 */
export function guessText(config: ConfigReader, parameters: readonly ParameterInfo[]): Model["text"] {
  const text = ["text_config", "llm_config", "language_config"].find((key) => config.has(key));
  const reader = text === undefined ? config : config.child(text);
  const number = (key: string): number => (typeof reader.raw[key] === "number" ? reader.raw[key] : 0);
  const eosTokenIds =
    [reader, config]
      .map((place) =>
        Number.isSafeInteger(place.raw["eos_token_id"]) || Array.isArray(place.raw["eos_token_id"])
          ? tokenIds(place, "eos_token_id")
          : [],
      )
      .find((ids) => ids.length > 0) ?? [];
  const sizes = { vocabularySize: number("vocab_size"), hiddenSize: number("hidden_size") };
  return {
    ...sizes,
    maxPositions: number("max_position_embeddings"),
    eosTokenIds,
    padTokenId: number("pad_token_id"),
    ...guessEmbeddings(sizes, parameters),
  };
}

const OUTPUT = /(^|\.)(lm_head|output)\.weight$/;

function guessEmbeddings(
  { vocabularySize, hiddenSize }: Pick<Model["text"], "vocabularySize" | "hiddenSize">,
  parameters: readonly ParameterInfo[],
): Pick<Model["text"], "embeddings"> {
  const isSize = (size: number | undefined, wanted: number): boolean => wanted === 0 || size === wanted;
  const matrices = parameters.filter(
    ({ shape }) =>
      vocabularySize > 0 && shape.length === 2 && shape[0] === vocabularySize && isSize(shape[1], hiddenSize),
  );
  const outputs = matrices.filter(({ name }) => OUTPUT.test(name));
  const [input, ...others] = matrices.filter(({ name }) => !OUTPUT.test(name));
  if (input === undefined || others.length > 0 || outputs.length > 1) return {};
  return { embeddings: { input: input.name, output: (outputs[0] ?? input).name } };
}
