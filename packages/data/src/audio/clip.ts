/** Mono sound, values in -1 to 1. */
export interface AudioClip {
  readonly samples: Float32Array;
  /** Hertz. */
  readonly samplingRate: number;
}

/** How long a clip is once it has the processor's sampling rate. */
export interface ClipSize {
  readonly sampleCount: number;
}

/** Decoded channels, equally long. */
export interface Channels {
  readonly channels: readonly Float32Array[];
  /** Hertz. */
  readonly samplingRate: number;
}

/** What the decoders of the npm packages `mpg123-decoder` and `@wasm-audio-decoders/*` give. */
interface Decoded {
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly sampleRate: number;
  readonly errors: readonly { readonly message: string }[];
}

/** Channels of a file that was decoded whole. @throws Error for one with a part that was not, or without any sample */
export function wholeChannels({ channelData, samplesDecoded, sampleRate, errors }: Decoded): Channels {
  const [error] = errors;
  if (error !== undefined) throw new Error(error.message);
  if (samplesDecoded === 0) throw new Error("none of its samples can be decoded: it is damaged");
  return { channels: channelData, samplingRate: sampleRate };
}

/** What a header tells of a clip. */
export interface ClipHeader {
  /** Of one channel. */
  readonly sampleCount: number;
  readonly samplingRate: number;
  readonly channelCount: number;
}

/** The part of a processor that makes inputs of a clip, in a decode worker. */
export interface AudioProcessor {
  /** Values per input of `ItemPlan.inputs`: float32 `[rows, width]`, row-major. */
  process(clip: AudioClip): Readonly<Record<string, Float32Array>>;
}

/** Largest file of one clip that is read. */
export const MAX_CLIP_BYTES = 512 * 2 ** 20;

/** Most samples of a clip, all channels: half a GB of values, 46 minutes of stereo at 24 kHz. */
export const MAX_CLIP_SAMPLES = 2 ** 27;

/** @throws Error that says the length, before a sample is decoded where a header tells it */
export function judgeLength({ sampleCount, channelCount }: Pick<ClipHeader, "sampleCount" | "channelCount">): void {
  if (sampleCount === 0) throw new Error("it holds no sound");
  if (sampleCount * channelCount > MAX_CLIP_SAMPLES)
    throw new Error(
      `it has ${sampleCount} samples in ${channelCount} channels, and at most ${MAX_CLIP_SAMPLES} are decoded: cut it`,
    );
}

/** Samples of a clip at another rate, as librosa and transformers' `load_audio` count them. */
export function resampledCount(sampleCount: number, from: number, to: number): number {
  return Math.ceil((sampleCount * to) / from);
}
