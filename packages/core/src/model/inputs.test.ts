import "@tensorflow/tfjs-backend-cpu";
import type { Batch, MediaItem, Segment } from "@thaw/contracts";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { checkOutput, loadBatch, loadMedia } from "./inputs.js";

beforeAll(() => tf.setBackend("cpu"));

const TOWER: Segment = {
  name: "tower",
  after: [],
  reads: ["pixels"],
  modality: "image",
  outputRows: ({ facts }) => facts.grid![0]!,
  parameters: [],
};
const DEEP: Segment = {
  ...TOWER,
  outputs: [
    { name: "features", width: 3 },
    { name: "deep", width: 2 },
  ],
};

/** An image of two numbers per row, of which the tower makes `made` rows. */
function item(contentKey: string, rows: number, made: number, more: Partial<MediaItem> = {}): MediaItem {
  return {
    modality: "image",
    contentKey,
    sample: 0,
    columns: Int32Array.from({ length: made }, (_, column) => column),
    facts: { grid: [made] },
    inputs: { pixels: { rows, width: 2 } },
    load: () => Promise.resolve({ pixels: new Float32Array(rows * 2) }),
    ...more,
  };
}

function batchOf(media: readonly MediaItem[], segmentOutputs: Batch["segmentOutputs"] = {}): Batch {
  const empty = new Int32Array(0);
  return {
    tokenIds: empty,
    attentionMask: empty,
    labels: empty,
    batchSize: 0,
    tokenCount: 0,
    media,
    segmentOutputs,
    samples: [],
  };
}

describe("a segment's output is held to what it promised", () => {
  const media = [item("first", 4, 2), item("second", 6, 3, { sample: 1 })];

  it("passes rows and columns that are as promised", () => {
    checkOutput([TOWER], "tower", media, [5, 7]);
    checkOutput([DEEP], "tower", media, [5, 5], Int32Array.of(0, 2, 5));
    checkOutput([TOWER], "unknown", media, [1]);
  });

  it.each([
    ["rows", TOWER, [6, 7], undefined, "shape [6, 7], but it promises 5 rows for 2 items. In"],
    ["a shape", TOWER, [5, 7, 1], undefined, "shape [5, 7, 1], but it promises 5 rows for 2 items. In"],
    ["an item's rows", TOWER, [5, 7], [0, 3, 5], "5 rows for 2 items, 2 of them for the image first of row 0"],
    ["the last item's rows", TOWER, [5, 7], [0, 2, 6], "3 of them for the image second of row 1"],
    ["too few items", TOWER, [5, 7], [0, 5], "2 of them for the image first of row 0"],
    ["columns", DEEP, [5, 4], undefined, "shape [5, 4], but it declares 5 columns: features (3), deep (2)"],
  ] as const)("refuses other %s by name of segment and item", (_, segment, shape, offsets, text) => {
    expect(() =>
      checkOutput([segment], "tower", media, shape, offsets === undefined ? undefined : Int32Array.from(offsets)),
    ).toThrow(
      expect.objectContaining({
        code: segment === DEEP ? "THAW_CORE_SEGMENT_COLUMNS" : "THAW_CORE_SEGMENT_ROWS",
        message: expect.stringContaining(text),
      }),
    );
    expect(() => checkOutput([segment], "tower", media, [5, 5, 5])).toThrow("of the segment tower ");
  });

  it("frees what stands for an output and is refused", async () => {
    const before = tf.memory().numTensors;
    const given = { tower: { tensor: tf.zeros([4, 5]), offsets: Int32Array.of(0, 2, 4) } };
    await expect(loadBatch(batchOf(media, given), [TOWER])).rejects.toMatchObject({
      code: "THAW_CORE_SEGMENT_ROWS",
      details: { segment: "tower", shape: [4, 5], rows: 5, itemCount: 2, contentKey: "second", itemRows: 3 },
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("an item's values are held to what it declares", () => {
  it("joins the rows of items of any size", async () => {
    const values = (...given: number[]) => ({ load: () => Promise.resolve({ pixels: Float32Array.from(given) }) });
    const { pixels } = await loadMedia(
      [item("first", 1, 1, values(1, 2)), item("second", 2, 1, values(3, 4, 5, 6))],
      () => true,
    );
    expect([[...pixels!.tensor.dataSync()], [...pixels!.offsets], pixels!.tensor.shape]).toEqual([
      [1, 2, 3, 4, 5, 6],
      [0, 1, 3],
      [3, 2],
    ]);
    pixels!.tensor.dispose();
  });

  it.each([
    ["fewer values", { load: () => Promise.resolve({ pixels: new Float32Array(5) }) }, "3 rows of 2 and has 5 values"],
    ["no values", { load: () => Promise.resolve({}) }, "3 rows of 2 and has 0 values"],
    [
      "another width",
      { inputs: { pixels: { rows: 2, width: 3 } }, load: () => Promise.resolve({ pixels: new Float32Array(6) }) },
      "2 rows of 3 and has 6 values; the first item's rows have 2",
    ],
  ])("refuses %s by name of input and item", async (_, more, text) => {
    const before = tf.memory().numTensors;
    const media = [item("first", 4, 2), item("second", 3, 2, { sample: 1, ...more })];
    await expect(loadBatch(batchOf(media), [TOWER])).rejects.toMatchObject({
      code: "THAW_CORE_INPUT_MISSHAPED",
      message: expect.stringContaining(`The input pixels of the image second of row 1 is declared as ${text}`),
      details: { input: "pixels", contentKey: "second", expectedWidth: 2 },
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
