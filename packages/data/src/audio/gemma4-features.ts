import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";
import type { AudioProcessor } from "./clip.js";
import { fourier } from "./fourier.js";
import { hannWindow, melFilters } from "./mel-filters.js";

/** How clips become what Gemma 4's tower reads. */
export interface Gemma4AudioOptions {
  readonly melCount: number;
  /** Hertz, as the two below. */
  readonly samplingRate: number;
  readonly lowest: number;
  readonly highest: number;
  /** Samples of a window, of the transform that it is filled up for, and from one frame to the next. */
  readonly windowLength: number;
  readonly fftSize: number;
  readonly hopLength: number;
  /** How much of each sample is taken from the next one; 0: nothing. */
  readonly preemphasis: number;
  /** The first sample of a frame is taken from itself (HTK), not from the one before. */
  readonly isHtk: boolean;
  /** Factor on samples. */
  readonly factor: number;
  /** Added to a frame's mel values before their logarithm is taken. */
  readonly floor: number;
  /** By mel value, what is taken off and what the rest is divided by. */
  readonly means?: readonly number[];
  readonly deviations?: readonly number[];
  /** Longer clips are cut. */
  readonly maxSamples: number;
}

/** Frames of a clip of so many samples, those alone whose window and next sample lie in it. */
export function gemma4Frames(sampleCount: number, { windowLength, hopLength, maxSamples }: Gemma4AudioOptions): number {
  const before = Math.floor(windowLength / 2);
  const last = Math.min(sampleCount, maxSamples) + before - windowLength - 1;
  return last < 0 ? 0 : Math.floor(last / hopLength) + 1;
}

/**
 * `Gemma4AudioFeatureExtractor` (transformers 5.24, `feature_extraction_gemma4.py`) on clips, without frames that its
 * mask hides: `inputFeatures`, `[frames, melCount]` float32, logarithms of mel magnitudes. In float64.
 */
export function gemma4Features(options: Gemma4AudioOptions): AudioProcessor {
  const { melCount, windowLength, fftSize, hopLength, samplingRate, lowest, highest } = options;
  const transform = fourier(fftSize);
  const window = hannWindow(windowLength);
  const filters = melFilters({
    melCount,
    binCount: fftSize / 2 + 1,
    samplingRate,
    lowest,
    highest,
    scale: "htk",
    hasEqualAreas: false,
  });
  const before = Math.floor(windowLength / 2);
  return {
    process({ samples }) {
      const frameCount = gemma4Frames(samples.length, options);
      const values = new Float32Array(frameCount * melCount);
      const frame = new Float64Array(fftSize);
      for (let index = 0; index < frameCount; index++) {
        const start = index * hopLength - before;
        const sampleAt = (at: number): number => (samples[start + at] ?? 0) * options.factor;
        for (let at = 0; at < windowLength; at++) frame[at] = emphasized(sampleAt, at, options) * window[at]!;
        const [real, imaginary] = transform(frame);
        for (const [mel, { first, weights }] of filters.entries()) {
          const sum = weights.reduce(
            (total, weight, bin) => total + weight * Math.hypot(real[first + bin]!, imaginary[first + bin]!),
            0,
          );
          const value = Math.log(sum + options.floor) - (options.means?.[mel] ?? 0);
          values[index * melCount + mel] = value / (options.deviations?.[mel] ?? 1);
        }
      }
      return { inputFeatures: values };
    },
  };
}

function emphasized(
  sampleAt: (at: number) => number,
  at: number,
  { preemphasis, isHtk }: Pick<Gemma4AudioOptions, "preemphasis" | "isHtk">,
): number {
  if (preemphasis === 0) return sampleAt(at);
  if (!isHtk) return sampleAt(at + 1) - preemphasis * sampleAt(at);
  return at === 0 ? sampleAt(0) * (1 - preemphasis) : sampleAt(at) - preemphasis * sampleAt(at - 1);
}

/** Samples of a clip in rows of `rowLength`: `inputFeatures`, `[rows, rowLength]` float32, zeros behind the last. */
export function waveRows({ rowLength }: { readonly rowLength: number }): AudioProcessor {
  return {
    process({ samples }) {
      const rows = new Float32Array(Math.ceil(samples.length / rowLength) * rowLength);
      rows.set(samples);
      return { inputFeatures: rows };
    },
  };
}

/** `gemma4Features` for decode workers: what a family's processor gives as `media.audio.worker`. */
export function gemma4FeaturesModule(options: Gemma4AudioOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "gemma4Features", options };
}

/** The same of `waveRows`: `Gemma4UnifiedAudioFeatureExtractor` of transformers 5.24. */
export function waveRowsModule(rowLength: number): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "waveRows", options: { rowLength } };
}
