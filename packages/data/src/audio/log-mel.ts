import { fourier } from "./fourier.js";
import { hannWindow, melFilters } from "./mel-filters.js";

/** How sound becomes mel frames. */
export interface LogMelOptions {
  /** Mel filters; the width of a frame. */
  readonly melCount: number;
  /** Samples of a window. */
  readonly fftSize: number;
  /** Samples from one frame to the next. */
  readonly hopLength: number;
  /** Hertz. */
  readonly samplingRate: number;
}

/** Highest frequency of Whisper's filters, whatever the sampling rate. */
const HIGHEST_HERTZ = 8000;
/** Least power whose logarithm is taken. */
const FLOOR = 1e-10;
/** Decades that frames may lie below the loudest one. */
const RANGE = 8;

/**
 * Log-mel frames of sound, as Whisper has them: power of windows (Hann, periodic) around every `hopLength`th sample,
 * with the ends reflected, the last frame left out; mel filters; log10; at most 8 decades below the largest value; plus
 * 4, over 4. In float64. Source: `WhisperFeatureExtractor._np_extract_fbank_features`, transformers 5.24,
 * `feature_extraction_whisper.py`; Radford et al., arXiv:2212.04356, section 2.2.
 * @returns float32 `[floor(samples / hopLength), melCount]`, row by row
 */
export function logMel(samples: Float32Array, options: LogMelOptions): Float32Array {
  const { melCount, fftSize, hopLength, samplingRate } = options;
  const frameCount = Math.floor(samples.length / hopLength);
  const transform = fourier(fftSize);
  const window = hannWindow(fftSize);
  const filters = melFilters({
    melCount,
    binCount: Math.floor(fftSize / 2) + 1,
    samplingRate,
    lowest: 0,
    highest: HIGHEST_HERTZ,
    scale: "slaney",
    hasEqualAreas: true,
  });
  const values = new Float64Array(frameCount * melCount).fill(Math.log10(FLOOR));
  const half = Math.floor(fftSize / 2);
  const sounding = samples.findLastIndex((value) => value !== 0);
  let largest = Math.log10(FLOOR);
  const frame = new Float64Array(fftSize);
  for (let index = 0; index < frameCount; index += 1) {
    const start = index * hopLength - half;
    // Behind the last sound lies silence alone, unless the end is reflected into it.
    if (start > sounding && index * hopLength + half <= samples.length) continue;
    for (let at = 0; at < fftSize; at += 1) frame[at] = samples[reflected(start + at, samples.length)]! * window[at]!;
    const [real, imaginary] = transform(frame);
    for (const [mel, { first, weights }] of filters.entries()) {
      let sum = 0;
      for (let bin = 0; bin < weights.length; bin += 1)
        sum += weights[bin]! * (real[first + bin]! ** 2 + imaginary[first + bin]! ** 2);
      const value = Math.log10(Math.max(sum, FLOOR));
      values[index * melCount + mel] = value;
      largest = Math.max(largest, value);
    }
  }
  return Float32Array.from(values, (value) => (Math.max(value, largest - RANGE) + 4) / 4);
}

/** An index beyond an end, reflected there without repeating the end (numpy's `reflect`). */
function reflected(index: number, length: number): number {
  const period = 2 * (length - 1);
  const inside = ((index % period) + period) % period;
  return inside < length ? inside : period - inside;
}
