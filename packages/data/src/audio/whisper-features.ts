import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";
import type { AudioProcessor } from "./clip.js";
import { logMel, type LogMelOptions } from "./log-mel.js";

/** How clips become what a Whisper encoder reads. */
export interface WhisperOptions extends LogMelOptions {
  /** Samples that clips are filled up to. */
  readonly clipSamples: number;
  /** What becomes of a longer clip: it is cut, or filled up to the next multiple. */
  readonly longer: "cut" | "multiple";
  /** What they are filled up with. */
  readonly paddingValue: number;
  /**
   * Frames behind a clip's own: all, or as many as convolutions over three frames, the second of them at every other
   * frame, read for its own.
   */
  readonly kept: "all" | "read";
}

/** Frames of a clip. */
export interface ClipFrames {
  /** That begin within the clip; the others are padding. */
  readonly own: number;
  /** That the model is given. */
  readonly kept: number;
}

function paddedLength(sampleCount: number, { clipSamples, longer }: WhisperOptions): number {
  return longer === "cut" ? clipSamples : Math.ceil(sampleCount / clipSamples) * clipSamples;
}

/** Rows behind both convolutions that begin in frames of their own: every other frame. */
export function convolvedRows(frames: number): number {
  return Math.floor((frames - 1) / 2) + 1;
}

/** Frames of a clip of so many samples. */
export function clipFrames(sampleCount: number, options: WhisperOptions): ClipFrames {
  const whole = Math.floor(paddedLength(sampleCount, options) / options.hopLength);
  const own = Math.min(Math.ceil(sampleCount / options.hopLength), whole);
  return { own, kept: options.kept === "all" ? whole : Math.min(whole, 2 * convolvedRows(own) + 1) };
}

/**
 * `WhisperFeatureExtractor` (transformers 5.24) on clips: cut or filled up, then log-mel frames: `inputFeatures`,
 * `[frames, melCount]` float32, of which those behind `ClipFrames.kept` are left out.
 */
export function whisperFeatures(options: WhisperOptions): AudioProcessor {
  return {
    process({ samples }) {
      const padded = new Float32Array(paddedLength(samples.length, options)).fill(options.paddingValue);
      padded.set(samples.subarray(0, padded.length));
      const { kept } = clipFrames(samples.length, options);
      return { inputFeatures: logMel(padded, options).slice(0, kept * options.melCount) };
    },
  };
}

/** `whisperFeatures` for decode workers: what a family's processor gives as `media.audio.worker`. */
export function whisperFeaturesModule(options: WhisperOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "whisperFeatures", options };
}
