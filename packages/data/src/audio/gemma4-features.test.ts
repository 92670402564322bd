import { expect, it } from "vitest";
import { gemma4Features, gemma4Frames, waveRows, type Gemma4AudioOptions } from "./gemma4-features.js";

const OPTIONS: Gemma4AudioOptions = {
  melCount: 4,
  samplingRate: 16_000,
  lowest: 0,
  highest: 8000,
  windowLength: 320,
  fftSize: 512,
  hopLength: 160,
  preemphasis: 0,
  isHtk: true,
  factor: 1,
  floor: 1e-3,
  maxSamples: 480_000,
};
const samples = Float32Array.from({ length: 700 }, (_, at) => Math.sin(at * at));

// `Gemma4AudioFeatureExtractor` of transformers 5.24 on the same samples.
it.each([
  ["as published", {}, [4.21558, 4.97766, 5.32824, 6.09651], [5.07311, 5.4732, 5.88211, 6.40476]],
  ["with emphasis", { preemphasis: 0.5 }, [3.58514, 4.53361, 5.20064, 6.32951], [4.42832, 5.0116, 5.76086, 6.63116]],
  [
    "with other options",
    {
      preemphasis: 0.5,
      isHtk: false,
      factor: 2,
      fftSize: 1024,
      lowest: 300,
      highest: 4000,
      means: [0, 1, 2, 3],
      deviations: [1, 2, 3, 4],
      floor: 0.1,
    },
    [4.75477, 2.16972, 1.2501, 0.79292],
    [5.24901, 2.43034, 1.41454, 0.91981],
  ],
] satisfies [string, Partial<Gemma4AudioOptions>, number[], number[]][])(
  "makes frames %s",
  (_case, more, first, last) => {
    const found = [
      ...gemma4Features({ ...OPTIONS, ...more }).process({ samples, samplingRate: 16_000 })["inputFeatures"]!,
    ];
    expect(found.length).toBe(16);
    [...found.slice(0, 4), ...found.slice(-4)].forEach((value, at) =>
      expect(value).toBeCloseTo([...first, ...last][at]!, 4),
    );
  },
);

it("counts frames whose samples all lie in the clip, and cuts long clips", () => {
  expect([0, 160, 161, 320, 321, 500_000].map((count) => gemma4Frames(count, OPTIONS))).toEqual([0, 0, 1, 1, 2, 2999]);
});

it("puts samples in rows, with zeros behind the last", () => {
  const found = waveRows({ rowLength: 3 }).process({ samples: Float32Array.of(1, 2, 3, 4), samplingRate: 1 });
  expect([...found["inputFeatures"]!]).toEqual([1, 2, 3, 4, 0, 0]);
});
