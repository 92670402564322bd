import {
  gemma4FeaturesModule,
  gemma4Frames,
  processorUnsupported,
  waveRowsModule,
  type AudioMedia,
  type Gemma4AudioOptions,
} from "@thaw/data";
import { configReader, type ConfigReader } from "../../reading/config-reader.js";
import { gemma4AudioRows } from "../../towers/gemma4-audio/tower.js";
import { INPUT_FEATURES } from "../../towers/inputs.js";
import { mediaSettings, tokenId, type ProcessorFiles } from "../processor-kit.js";

/** How many samples transformers reads of a clip: its default of `max_length`, which no file says. */
const MAX_SAMPLES = 480_000;

/**
 * What `Gemma4AudioFeatureExtractor` and Gemma 4's processor make of clips (transformers 5.24): a token for four mel
 * frames, between one that begins and one that ends a sound. @throws THAW_DATA_PROCESSOR, THAW_CHECKPOINT_CONFIG
 */
export async function gemma4Sounds(files: ProcessorFiles, id: number, melCount: number): Promise<AudioMedia> {
  const options = readExtractor(await extractorConfig(files, "Gemma4AudioFeatureExtractor"));
  if (options.melCount !== melCount) throw unsuitable(files, "feature_size", options.melCount, melCount);
  return clips(files, id, {
    samplingRate: options.samplingRate,
    worker: gemma4FeaturesModule(options),
    width: melCount,
    rows: (sampleCount) => gemma4Frames(sampleCount, options),
    tokens: gemma4AudioRows,
  });
}

/**
 * What `Gemma4UnifiedAudioFeatureExtractor` makes of clips: a token for `rowLength` samples.
 * @throws THAW_DATA_PROCESSOR, THAW_CHECKPOINT_CONFIG
 */
export async function gemma4Waves(files: ProcessorFiles, id: number, rowLength: number): Promise<AudioMedia> {
  const config = await extractorConfig(files, "Gemma4UnifiedAudioFeatureExtractor");
  const given = config.size("audio_samples_per_token", 640);
  if (given !== rowLength) throw unsuitable(files, "audio_samples_per_token", given, rowLength);
  return clips(files, id, {
    samplingRate: config.size("sampling_rate", 16_000),
    worker: waveRowsModule(rowLength),
    width: rowLength,
    rows: (sampleCount) => Math.ceil(sampleCount / rowLength),
    tokens: (rows) => rows,
  });
}

interface ClipRows extends Pick<AudioMedia, "samplingRate" | "worker"> {
  /** Columns of a row. */
  readonly width: number;
  rows(sampleCount: number): number;
  tokens(rows: number): number;
}

function clips(files: ProcessorFiles, id: number, made: ClipRows): AudioMedia {
  const { samplingRate, worker, width } = made;
  const { named } = files.tokenizer.special;
  const [begin, token, end] = [
    named["boa_token"] ?? "<|audio>",
    named["audio_token"] ?? "<|audio|>",
    named["eoa_token"] ?? "<audio|>",
  ];
  tokenId(files, token, id);
  for (const other of [begin, end]) tokenId(files, other);
  return {
    placeholder: token,
    samplingRate,
    worker,
    needsSize: true,
    plan(size) {
      const rows = made.rows(size!.sampleCount);
      if (rows === 0)
        throw new Error(`its ${size!.sampleCount} samples at ${samplingRate} Hz are too few for one token`);
      const tokenCount = made.tokens(rows);
      return {
        placeholder: begin + token.repeat(tokenCount) + end,
        tokenId: id,
        tokenCount,
        facts: {},
        inputs: { [INPUT_FEATURES]: { rows, width } },
      };
    },
  };
}

async function extractorConfig(files: ProcessorFiles, type: string): Promise<ConfigReader> {
  const config = configReader(
    `${files.folder}/processor_config.json`,
    await mediaSettings(files, "feature_extractor"),
    "feature_extractor",
  );
  config.choice("feature_extractor_type", [type], type);
  return config;
}

function unsuitable({ folder }: ProcessorFiles, key: string, given: number, wanted: number): Error {
  return processorUnsupported(
    folder,
    `The feature extractor makes rows of ${given} values, but the model reads ${wanted}.`,
    `Set ${key} of the feature extractor to ${wanted}, or use the one that belongs to this model.`,
  );
}

function readExtractor(config: ConfigReader): Gemma4AudioOptions {
  if (config.number("dither", 0) !== 0)
    config.fail("dither", "Random noise on sound is not supported.", "Set it to 0.");
  const samplingRate = config.size("sampling_rate", 16_000);
  const melCount = config.size("feature_size", 128);
  const samplesOf = (key: string, fallback: number): number =>
    Math.round((samplingRate * config.number(key, fallback)) / 1000);
  const [windowLength, hopLength] = [samplesOf("frame_length_ms", 20), samplesOf("hop_length_ms", 10)];
  if (windowLength < 1 || hopLength < 1)
    config.fail("hop_length_ms", "Frames of sound hold no sample.", "Give 20 ms per frame, 10 ms between them.");
  const fftSize = 2 ** Math.ceil(Math.log2(windowLength)) * (config.boolean("fft_overdrive", false) ? 2 : 1);
  // transformers 5.24 saves what it made of the options above, and does not read it.
  for (const [key, made] of Object.entries({ frame_length: windowLength, hop_length: hopLength, fft_length: fftSize }))
    if (config.number(key, made) !== made)
      config.fail(key, `Frames have ${made} by frame_length_ms, hop_length_ms and fft_overdrive.`, "Leave it out.");
  const perBin = (key: string): readonly number[] | undefined => {
    if (!config.has(key)) return undefined;
    const given = [config.raw[key]].flat(Infinity);
    if (given.length === melCount && given.every((value) => Number.isFinite(value))) return given as readonly number[];
    return config.fail(key, `This is not a list of ${melCount} numbers.`, "Give one number per mel value.");
  };
  const [means, deviations] = [perBin("per_bin_mean"), perBin("per_bin_stddev")];
  return {
    melCount,
    samplingRate,
    windowLength,
    hopLength,
    fftSize,
    lowest: config.number("min_frequency", 0),
    highest: config.number("max_frequency", 8000),
    preemphasis: config.number("preemphasis", 0),
    isHtk: config.boolean("preemphasis_htk_flavor", true),
    factor: config.number("input_scale_factor", 1),
    floor: config.number("mel_floor", 1e-3),
    ...(means && { means }),
    ...(deviations && { deviations }),
    maxSamples: MAX_SAMPLES,
  };
}
