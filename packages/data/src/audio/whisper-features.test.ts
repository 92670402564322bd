import { describe, expect, it } from "vitest";
import { fourier } from "./fourier.js";
import { melFilters } from "./mel-filters.js";
import { clipFrames, whisperFeatures, type WhisperOptions } from "./whisper-features.js";

const OPTIONS: WhisperOptions = {
  melCount: 8,
  fftSize: 400,
  hopLength: 160,
  samplingRate: 16000,
  clipSamples: 3200,
  longer: "cut",
  paddingValue: 0,
  kept: "all",
};
const tone = (count: number): Float32Array => Float32Array.from({ length: count }, (_, at) => Math.sin(at * at));
const features = (count: number, changes: Partial<WhisperOptions> = {}): Float32Array =>
  whisperFeatures({ ...OPTIONS, ...changes }).process({ samples: tone(count), samplingRate: 16000 })["inputFeatures"]!;

it.each([1, 2, 7, 15, 400, 512])("fourier of %s values is their discrete Fourier transform", (size) => {
  const values = Float64Array.from({ length: size }, (_, at) => Math.sin(at * at + 1));
  const [real, imaginary] = fourier(size)(values);
  for (let bin = 0; bin < size; bin += 1) {
    let [wantedReal, wantedImaginary] = [0, 0];
    values.forEach((value, at) => {
      wantedReal += value * Math.cos((2 * Math.PI * bin * at) / size);
      wantedImaginary -= value * Math.sin((2 * Math.PI * bin * at) / size);
    });
    expect(real[bin]).toBeCloseTo(wantedReal, 10);
    expect(imaginary[bin]).toBeCloseTo(wantedImaginary, 10);
  }
});

it("melFilters are transformers' mel_filter_bank(201, 128, 0, 8000, 16000, 'slaney', 'slaney')", () => {
  const filters = melFilters({
    melCount: 128,
    binCount: 201,
    samplingRate: 16000,
    lowest: 0,
    highest: 8000,
    scale: "slaney",
    hasEqualAreas: true,
  });
  const weight = (mel: number, bin: number): number => filters[mel]!.weights[bin - filters[mel]!.first] ?? 0;
  expect(weight(0, 1)).toBeCloseTo(0.012373986, 8);
  expect(weight(10, 6)).toBeCloseTo(0.011289184, 8);
  expect(weight(127, 197)).toBeCloseTo(0.003342841, 8);
  expect(filters.reduce((sum, { weights }) => sum + weights.reduce((all, one) => all + one, 0), 0)).toBeCloseTo(
    3.19098553,
    6,
  );
});

describe("clips", () => {
  it("have the frames that transformers' mask marks, and those that convolutions read", () => {
    const frames = (count: number, changes: Partial<WhisperOptions> = {}): readonly number[] => {
      const { own, kept } = clipFrames(count, { ...OPTIONS, ...changes });
      return [own, kept];
    };
    expect(frames(1)).toEqual([1, 20]);
    expect(frames(160)).toEqual([1, 20]);
    expect(frames(161)).toEqual([2, 20]);
    expect(frames(99_999)).toEqual([20, 20]);
    expect(frames(161, { kept: "read" })).toEqual([2, 3]);
    expect(frames(480, { kept: "read" })).toEqual([3, 5]);
    expect(frames(3200, { kept: "read" })).toEqual([20, 20]);
    expect(frames(3201, { longer: "multiple" })).toEqual([21, 40]);
    expect(frames(3200, { longer: "multiple" })).toEqual([20, 20]);
  });

  it("give equal frames whether those that nothing reads are kept or not", () => {
    const all = features(1000);
    const read = features(1000, { kept: "read" });
    expect(all).toHaveLength(20 * 8);
    expect(read).toHaveLength(9 * 8);
    expect(read).toEqual(all.slice(0, 9 * 8));
  });

  it("are cut or filled up", () => {
    expect(features(5000)).toEqual(features(3200));
    expect(features(5000, { longer: "multiple" })).toHaveLength(40 * 8);
    expect(features(100, { paddingValue: 0.5 })).not.toEqual(features(100));
  });

  it("of silence are at the floor", () => {
    const { inputFeatures } = whisperFeatures(OPTIONS).process({ samples: new Float32Array(9), samplingRate: 16000 });
    expect(new Set(inputFeatures)).toEqual(new Set([-1.5]));
  });
});
