import type { CheckpointHeader } from "../../contract/family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { textFacts } from "../../reading/special-tokens.js";
import type { Composition } from "../compose.js";
import { itemRuns } from "../item-runs.js";
import { readTied, textNames } from "../llava-names.js";
import { keptTensors } from "./kept.js";

/** What config.json says of a Gemma 4 model with a tower and of one without alike. */
export interface Gemma4Text {
  readonly text: TextModel;
  readonly imageTokenId: number;
  readonly audioTokenId: number;
  /** Whether pictures see themselves both ways, on sliding layers. */
  readonly seesBothWays: boolean;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

const TEXT = "model.language_model";

/**
 * Reads what both types have. Names and defaults: transformers 5.24, `configuration_gemma4.py` and
 * `configuration_gemma4_unified.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readGemma4Text(config: ConfigReader, textType: string, sight: "vision" | undefined): Gemma4Text {
  if (config.raw["vision_config"] === null)
    config.fail(
      "vision_config",
      "A model that reads no pictures is not supported.",
      "Give the config of its pictures.",
    );
  const text = config.child("text_config");
  return {
    text: readTextModel(text, textType),
    imageTokenId: config.number("image_token_id", 258880),
    audioTokenId: config.number("audio_token_id", 258881),
    seesBothWays: (text.raw["use_bidirectional_attention"] ?? sight) === "vision",
    tied: readTied(config, true),
  };
}

/** The text model of both types, which items it lets see both ways, and what it keeps and does not compute with. */
export function gemma4TextParts(
  { text, seesBothWays, tied }: Gemma4Text,
  header: CheckpointHeader,
): Pick<Composition<string, string>, "decoder" | "attending" | "text" | "unused"> {
  const { config, generationConfig, storedNames } = header;
  const names = textNames(TEXT, "lm_head", tied, storedNames);
  const firstSharing = text.options.layers.findIndex(({ takesFrom }) => takesFrom !== undefined);
  return {
    decoder: (place) => textDecoder(text.options, names, place),
    ...(seesBothWays && { attending: { seesBothWays: itemRuns } }),
    text: textFacts(text, config, generationConfig),
    unused: keptTensors(header, TEXT, firstSharing < 0 ? Infinity : firstSharing),
  };
}
