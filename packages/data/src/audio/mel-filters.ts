/** Hertz at which the scale turns from straight to logarithmic, and mels there. */
const [TURN_HERTZ, TURN_MELS] = [1000, 15];
const MELS_PER_LOG = 27 / Math.log(6.4);
/** Highest frequency of Whisper's filters, whatever the sampling rate. */
const HIGHEST_HERTZ = 8000;

/** A filter's weights from one frequency bin on; elsewhere they are 0. */
export interface MelFilter {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Slaney's mel scale (Auditory Toolbox, 1998), as librosa has it. */
function hertzOf(mels: number): number {
  return mels < TURN_MELS ? (200 * mels) / 3 : TURN_HERTZ * Math.exp((mels - TURN_MELS) / MELS_PER_LOG);
}

/**
 * Triangular filters from 0 to 8000 Hz with equal steps on Slaney's scale and equal areas: `mel_filter_bank` of
 * transformers 5.24, `audio_utils.py`, as `WhisperFeatureExtractor` calls it. `binCount` frequencies lie evenly between
 * 0 and half the sampling rate.
 */
export function melFilters(melCount: number, binCount: number, samplingRate: number): readonly MelFilter[] {
  const highest = TURN_MELS + Math.log(HIGHEST_HERTZ / TURN_HERTZ) * MELS_PER_LOG;
  const edges = Array.from({ length: melCount + 2 }, (_, index) => hertzOf((highest / (melCount + 1)) * index));
  const step = Math.floor(samplingRate / 2) / (binCount - 1);
  return Array.from({ length: melCount }, (_, index) => {
    const [left, middle, right] = edges.slice(index, index + 3) as [number, number, number];
    const all = Float64Array.from({ length: binCount }, (_bin, bin) => {
      const rising = (step * bin - left) / (middle - left);
      const falling = (right - step * bin) / (right - middle);
      return Math.max(0, Math.min(rising, falling)) * (2 / (right - left));
    });
    const first = Math.max(
      0,
      all.findIndex((weight) => weight > 0),
    );
    return { first, weights: all.slice(first, all.findLastIndex((weight) => weight > 0) + 1) };
  });
}
