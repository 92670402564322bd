import { resampledCount, type AudioClip } from "./clip.js";

/** Passband's end, as a share of the lower of both Nyquist frequencies, where the stopband begins. */
const PASS = 0.913;
/** Decibels that the stopband lies below. */
const ATTENUATION = 126;
/** Most weights that are kept; beyond, they are computed for every sample. */
const KEPT_WEIGHTS = 2 ** 21;

/**
 * A clip at another sampling rate, by a windowed sinc (Kaiser, in float64) with the band edges of `soxr_hq`, which
 * librosa and transformers' `load_audio` resample by: passband to 0.913, 126 dB (libsoxr 0.1.3, `soxr.c`, quality
 * `SOXR_HQ`; `filter.c`, `lsx_design_lpf`). Samples agree with theirs to about 1e-4. Packaged resamplers differ by
 * twenty times as much: they keep a wider band. As there, the last sample is silence where the length is not whole.
 */
export function resample({ samples, samplingRate }: AudioClip, target: number): AudioClip {
  if (samplingRate === target) return { samples, samplingRate };
  const divisor = greatestDivisor(samplingRate, target);
  const [phases, step] = [target / divisor, samplingRate / divisor];
  const band = Math.min(1, target / samplingRate);
  const half = (ATTENUATION - 7.95) / (2.285 * Math.PI * (1 - PASS) * band) / 2;
  const taps = 2 * Math.ceil(half) + 2;
  const weightsOf = (phase: number): Float64Array => sincWeights(phase / phases, half, taps, ((1 + PASS) / 2) * band);
  const kept = new Map<number, Float64Array>();
  const mayKeep = phases * taps <= KEPT_WEIGHTS;
  const made = Math.round((samples.length * target) / samplingRate);
  const output = new Float32Array(resampledCount(samples.length, samplingRate, target));
  for (let index = 0; index < made; index += 1) {
    const phase = (index * step) % phases;
    let weights = kept.get(phase);
    if (weights === undefined) {
      weights = weightsOf(phase);
      if (mayKeep) kept.set(phase, weights);
    }
    const start = (index * step - phase) / phases - Math.ceil(half);
    const first = Math.max(0, -start);
    const last = Math.min(taps, samples.length - start);
    let sum = 0;
    for (let tap = first; tap < last; tap += 1) sum += weights[tap]! * samples[start + tap]!;
    output[index] = sum;
  }
  return { samples: output, samplingRate: target };
}

/** Weights of the samples around a place that lies `offset` behind one of them. */
function sincWeights(offset: number, half: number, taps: number, cutoff: number): Float64Array {
  const shape = 0.1102 * (ATTENUATION - 8.7);
  const highest = besselI0(shape);
  return Float64Array.from({ length: taps }, (_, tap) => {
    const distance = tap - Math.ceil(half) - offset;
    if (Math.abs(distance) > half) return 0;
    const window = besselI0(shape * Math.sqrt(1 - (distance / half) ** 2)) / highest;
    const angle = Math.PI * cutoff * distance;
    return cutoff * window * (angle === 0 ? 1 : Math.sin(angle) / angle);
  });
}

/** The modified Bessel function of the first kind and order 0, by its series. */
function besselI0(x: number): number {
  let [sum, term] = [1, 1];
  for (let order = 1; term > sum * 1e-17; order += 1) {
    term *= (x / 2 / order) ** 2;
    sum += term;
  }
  return sum;
}

function greatestDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestDivisor(right, left % right);
}
