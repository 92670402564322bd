import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import { tokenIds, type ConfigReader } from "../../reading/config-reader.js";
import { readOvis2TowerConfig, type Ovis2TowerConfig } from "../../towers/ovis2/ovis2.js";
import { gridSide } from "../../towers/vit.js";
import { readTied } from "../llava-names.js";
import { INDICATORS } from "./layout.js";

/** Everything that config.json says about an Ovis2 model. */
export interface Ovis2Config {
  readonly vision: Ovis2TowerConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** In the order of {@link INDICATORS}. */
  readonly indicatorIds: readonly number[];
  /** Rows of the table of visual words, indicators behind the words. */
  readonly vocabularySize: number;
  readonly indicatorCount: number;
  /** Patches a side of a tile, and of the blocks that become one word. */
  readonly side: number;
  readonly stride: number;
  /** See `VisualVocabularyOptions`. */
  readonly takesLargest: boolean;
  /** Visual words that a tile becomes. */
  readonly wordsPerTile: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

const INDICATOR_IDS = [151666, 151667, 151668, 151669, 151670];

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_ovis2.py`. Of the ways to choose words, the
 * random one (`gumbel_argmax`) is refused. @throws THAW_CHECKPOINT_CONFIG
 */
export function readOvis2Config(config: ConfigReader): Ovis2Config {
  const reader = config.child("vision_config");
  const vision = readOvis2TowerConfig(reader);
  const text = readTextModel(config.child("text_config"), "qwen2");
  const width = config.size("hidden_size", 1536);
  if (width !== text.options.hiddenSize)
    config.fail(
      "hidden_size",
      `Visual words have ${width} columns, but the text model reads ${text.options.hiddenSize}.`,
      "Give text_config.hidden_size.",
    );
  const vocabularySize = reader.size("vocab_size", 16384);
  const indicatorCount = reader.size("num_visual_indicator_tokens", INDICATORS.length);
  if (indicatorCount < INDICATORS.length || indicatorCount >= vocabularySize)
    reader.fail(
      "num_visual_indicator_tokens",
      `${indicatorCount} of ${vocabularySize} rows of the table are not ${INDICATORS.length} indicators and words.`,
      `Give ${INDICATORS.length} or more, and a larger vocab_size.`,
    );
  const key = "visual_indicator_token_ids";
  const indicatorIds = config.has(key) ? tokenIds(config, key) : INDICATOR_IDS;
  if (indicatorIds.length !== INDICATORS.length)
    config.fail(
      key,
      `There are ${indicatorIds.length} ids for ${INDICATORS.length} indicators.`,
      `Give those of ${INDICATORS.join(", ")}.`,
    );
  const choice = reader.choice("tokenize_function", ["softmax", "st_argmax"], "softmax");
  const tied = readTied(config, true);
  const outputs = config.size("vocab_size", text.options.vocabularySize);
  if (tied !== true && outputs !== text.options.vocabularySize)
    config.fail(
      "vocab_size",
      `The output layer has ${outputs} rows, but the text model ${text.options.vocabularySize} words.`,
      "Give text_config.vocab_size.",
    );
  const [side, stride] = [gridSide(vision), reader.size("hidden_stride", 1)];
  if (side % stride !== 0)
    reader.fail(
      "hidden_stride",
      `Blocks of ${stride} patches a side do not fill tiles of ${side}.`,
      "Give a number that divides the patches a side.",
    );
  return {
    vision,
    text,
    imageTokenId: config.number("image_token_id", 151665),
    indicatorIds,
    vocabularySize,
    indicatorCount,
    side,
    stride,
    takesLargest: choice === "st_argmax",
    wordsPerTile: (side / stride) ** 2,
    tied,
  };
}
