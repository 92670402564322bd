import * as tf from "@tensorflow/tfjs-core";
import type { MediaItem } from "@thaw/contracts";
import { beforeAll, expect, it } from "vitest";
import { useBackend } from "../../../test-support/golden.js";
import { batchOf, testScope } from "../../../test-support/scope.js";
import { configReader } from "../../reading/config-reader.js";
import { readGemma4AudioConfig } from "./config.js";
import { gemma4AudioRows, gemma4AudioTower } from "./tower.js";

beforeAll(() => useBackend("cpu"));

const CONFIG = {
  hidden_size: 8,
  num_attention_heads: 2,
  num_hidden_layers: 1,
  subsampling_conv_channels: [8, 2],
  attention_chunk_size: 4,
  attention_context_left: 3,
  attention_context_right: 2,
  output_proj_dims: 3,
  use_clipped_linears: false,
};
const read = (changes: object = {}) =>
  readGemma4AudioConfig(configReader("config.json", { ...CONFIG, ...changes }, "audio_config"));
const LENGTHS = [29, 14];
/** Of `Gemma4AudioModel` in transformers 5.24, in float64, with the values of {@link valueOf} and {@link frames}. */
const FEATURES = [
  [2.784229, 2.422354, 0.982138],
  [2.876229, 2.173343, 0.50389],
  [2.931298, 2.132768, 0.385884],
  [2.863287, 2.017366, 0.27489],
  [2.853891, 2.500015, 1.032939],
  [2.73757, 2.400248, 0.994509],
  [2.804067, 2.484983, 1.059446],
  [2.778491, 2.436918, 1.010467],
  [2.799651, 2.4015, 0.93437],
  [2.836513, 2.492427, 1.038547],
  [2.751501, 2.401051, 0.981822],
  [2.784502, 2.432689, 0.997897],
];

const valueOf = (name: string, at: number): number =>
  0.5 * Math.sin(at * 0.7 + name.length) + (name.includes("norm") ? 1 : 0);
const frames = (clip: number, at: number): number => Math.cos(at * 0.3 + clip);

/** Features of clips of these numbers of frames, one batch. */
function features(clips: readonly number[]): number[] {
  const tower = gemma4AudioTower(
    read(),
    { prefix: "t", projections: "wrapped" },
    { component: "audio_tower", after: [] },
  );
  const weights = new Map(
    tower.parameters.map(({ name, shape }) => {
      const size = shape.reduce((product, count) => product * count, 1);
      const values = Array.from({ length: size }, (_, at) => valueOf(name.slice("t.".length), at));
      return [name, tf.tensor(values, [...shape])] as const;
    }),
  );
  const scope = testScope(weights);
  const rows = clips.map((clip) => LENGTHS[clip]!);
  const items = rows.map((count): MediaItem => ({
    modality: "audio",
    contentKey: "",
    sample: 0,
    columns: new Int32Array(gemma4AudioRows(count)),
    facts: {},
    inputs: { inputFeatures: { rows: count, width: 8 } },
    load: async () => ({}),
  }));
  const values = clips.flatMap((clip) => Array.from({ length: LENGTHS[clip]! * 8 }, (_, at) => frames(clip, at)));
  const tensor = tf.tensor2d(values, [values.length / 8, 8]);
  const offsets = Int32Array.from([0, ...rows.map((_, index) => rows.slice(0, index + 1).reduce((a, b) => a + b))]);
  const made = tower.run(batchOf([[1]], [0], { inputFeatures: { tensor, offsets } }), scope, items);
  const found = [...made.tensor.dataSync()];
  scope.tape.dispose();
  tf.dispose([tensor, ...weights.values()]);
  return found;
}

const near = (got: readonly number[], wanted: readonly number[], within: number): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, at) => expect(Math.abs(value - wanted[at]!)).toBeLessThan(within));
};

it("makes the features that transformers makes, of clips of any lengths, each as by itself", () => {
  near(features([0, 1]), FEATURES.flat(), 1e-3);
  near(features([1, 0]), [...FEATURES.slice(8), ...FEATURES.slice(0, 8)].flat(), 1e-3);
});

it.each([
  ["heads that do not divide", { num_attention_heads: 3 }, "num_attention_heads"],
  ["channels of no pair", { subsampling_conv_channels: [8] }, "subsampling_conv_channels"],
  ["channels that mel values do not halve to", { subsampling_conv_channels: [6, 2] }, "subsampling_conv_channels"],
  ["rows that see nothing", { attention_context_left: 1 }, "attention_context_left"],
  ["less than nothing behind", { attention_context_right: -1 }, "attention_context_right"],
])("refuses %s", (_case, changes, key) => {
  expect(() => read(changes)).toThrow(`audio_config.${key}`);
});
