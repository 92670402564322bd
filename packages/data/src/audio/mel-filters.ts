/** A scale of heights of tones. */
interface MelScale {
  readonly melsOf: (hertz: number) => number;
  readonly hertzOf: (mels: number) => number;
}

/** Hertz at which Slaney's scale turns from straight to logarithmic, and mels there. */
const [TURN_HERTZ, TURN_MELS] = [1000, 15];
const MELS_PER_LOG = 27 / Math.log(6.4);

const SCALES: Readonly<Record<"slaney" | "htk", MelScale>> = {
  /** Slaney's (Auditory Toolbox, 1998), as librosa has it. */
  slaney: {
    melsOf: (hertz) =>
      hertz < TURN_HERTZ ? (3 * hertz) / 200 : TURN_MELS + Math.log(hertz / TURN_HERTZ) * MELS_PER_LOG,
    hertzOf: (mels) => (mels < TURN_MELS ? (200 * mels) / 3 : TURN_HERTZ * Math.exp((mels - TURN_MELS) / MELS_PER_LOG)),
  },
  /** The Cambridge HMM Toolkit's. */
  htk: {
    melsOf: (hertz) => 2595 * Math.log10(1 + hertz / 700),
    hertzOf: (mels) => 700 * (10 ** (mels / 2595) - 1),
  },
};

/** Filters over frequencies. */
export interface MelFilterOptions {
  readonly melCount: number;
  /** Frequencies, evenly from 0 to half the sampling rate. */
  readonly binCount: number;
  /** Hertz, as the two below. */
  readonly samplingRate: number;
  readonly lowest: number;
  readonly highest: number;
  readonly scale: keyof typeof SCALES;
  /** Triangles have equal areas, or equal heights. */
  readonly hasEqualAreas: boolean;
}

/** A filter's weights from one frequency bin on; elsewhere they are 0. */
export interface MelFilter {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Triangular filters with equal steps on a scale: `mel_filter_bank` of transformers 5.24, `audio_utils.py`. */
export function melFilters(options: MelFilterOptions): readonly MelFilter[] {
  const { melCount, binCount, samplingRate, hasEqualAreas } = options;
  const { melsOf, hertzOf } = SCALES[options.scale];
  const [low, high] = [melsOf(options.lowest), melsOf(options.highest)];
  const edges = Array.from({ length: melCount + 2 }, (_, index) =>
    hertzOf(low + ((high - low) / (melCount + 1)) * index),
  );
  const step = Math.floor(samplingRate / 2) / (binCount - 1);
  return Array.from({ length: melCount }, (_, index) => {
    const [left, middle, right] = edges.slice(index, index + 3) as [number, number, number];
    const height = hasEqualAreas ? 2 / (right - left) : 1;
    const all = Float64Array.from({ length: binCount }, (_bin, bin) => {
      const rising = (step * bin - left) / (middle - left);
      const falling = (right - step * bin) / (right - middle);
      return Math.max(0, Math.min(rising, falling)) * height;
    });
    const first = Math.max(
      0,
      all.findIndex((weight) => weight > 0),
    );
    return { first, weights: all.slice(first, all.findLastIndex((weight) => weight > 0) + 1) };
  });
}

/** A periodic Hann window. */
export function hannWindow(length: number): Float64Array {
  return Float64Array.from({ length }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / length));
}
