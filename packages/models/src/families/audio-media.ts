import {
  clipFrames,
  processorUnsupported,
  whisperFeaturesModule,
  type AudioMedia,
  type ClipFrames,
  type WhisperOptions,
} from "@thaw/data";
import { configReader } from "../reading/config-reader.js";
import { INPUT_FEATURES } from "../towers/inputs.js";
import type { WhisperConfig } from "../towers/whisper/config.js";
import { mediaSettings, tokenId, type ProcessorFiles } from "./processor-kit.js";

/** How a family's processor treats clips. */
export interface ClipRules {
  /** Text of the token that features stand in for, and its id in config.json. */
  readonly token: string;
  readonly tokenId: number;
  readonly longer: WhisperOptions["longer"];
  readonly kept: WhisperOptions["kept"];
  /** Tokens of a clip of so many frames. */
  tokens(frames: ClipFrames): number;
}

/**
 * What `WhisperFeatureExtractor` and a family's processor make of clips (transformers 5.24): settings of
 * `preprocessor_config.json`, or nested as `feature_extractor` in `processor_config.json`.
 * @throws THAW_DATA_PROCESSOR, THAW_CHECKPOINT_CONFIG where they are not supported or do not suit the tower
 */
export async function whisperMedia(files: ProcessorFiles, tower: WhisperConfig, rules: ClipRules): Promise<AudioMedia> {
  const { token, tokenId: wanted, longer, kept } = rules;
  const id = tokenId(files, token, wanted);
  const options = readExtractor(files, await mediaSettings(files, "feature_extractor"), tower, { longer, kept });
  return {
    placeholder: token,
    samplingRate: options.samplingRate,
    worker: whisperFeaturesModule(options),
    needsSize: true,
    plan(size) {
      const frames = clipFrames(size!.sampleCount, options);
      const tokenCount = rules.tokens(frames);
      if (tokenCount === 0)
        throw new Error(`its ${size!.sampleCount} samples at ${options.samplingRate} Hz are too few for one token`);
      return {
        placeholder: token.repeat(tokenCount),
        tokenId: id,
        tokenCount,
        facts: { frames: [frames.own] },
        inputs: { [INPUT_FEATURES]: { rows: frames.kept, width: options.melCount } },
      };
    },
  };
}

function readExtractor(
  { folder }: ProcessorFiles,
  settings: Readonly<Record<string, unknown>>,
  tower: WhisperConfig,
  rules: Pick<WhisperOptions, "longer" | "kept">,
): WhisperOptions {
  const config = configReader(`${folder}/preprocessor_config.json`, settings);
  config.choice("feature_extractor_type", ["WhisperFeatureExtractor"], "WhisperFeatureExtractor");
  config.choice("padding_side", ["right"], "right");
  if (config.number("dither", 0) !== 0)
    config.fail("dither", "Random noise on sound is not supported.", "Set it to 0.");
  const hopLength = config.size("hop_length", 160);
  const samplingRate = config.size("sampling_rate", 16_000);
  const melCount = config.size("feature_size", 80);
  const whole = 2 * tower.maxPositions;
  if (melCount !== tower.melCount)
    throw processorUnsupported(
      folder,
      `The feature extractor makes ${melCount} mel values per frame, but the audio tower reads ${tower.melCount}.`,
      "Set feature_size in preprocessor_config.json to the num_mel_bins of config.json.",
    );
  const clipSamples = rules.longer === "cut" ? config.size("chunk_length", 30) * samplingRate : whole * hopLength;
  if (Math.floor(clipSamples / hopLength) !== whole)
    throw processorUnsupported(
      folder,
      `The feature extractor makes ${Math.floor(clipSamples / hopLength)} frames of a clip, but the audio tower ` +
        `reads ${whole}.`,
      "Correct chunk_length in preprocessor_config.json or max_source_positions in config.json.",
    );
  return {
    melCount,
    fftSize: config.size("n_fft", 400),
    hopLength,
    samplingRate,
    clipSamples,
    paddingValue: config.number("padding_value", 0),
    ...rules,
  };
}
