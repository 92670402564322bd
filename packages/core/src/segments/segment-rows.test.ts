import type { MediaItem, Segment } from "@thaw/contracts";
import { expect, it } from "vitest";
import type { PlannedContext } from "../api/contexts.js";
import { segmentRows } from "./segment-rows.js";

const segment = (name: string, after: readonly string[], more: Partial<Segment> = {}): Segment => ({
  name,
  after,
  reads: [],
  parameters: [],
  ...more,
});
const image: Partial<Segment> = { reads: ["pixels"], modality: "image" };
const SEGMENTS: readonly Segment[] = [
  segment("tower", [], { ...image, outputRows: ({ facts }) => facts.merged![0]! }),
  segment("tower.embeddings", [], image),
  segment("tower.layers.0", ["tower.embeddings"]),
  segment("sound", [], { reads: ["frames"], modality: "audio" }),
  segment("projector", ["tower"]),
  segment("decoder", ["projector", "sound"], { parameters: ["words"] }),
  segment("decoder.embed", ["projector", "sound"], { parameters: ["words"] }),
  segment("decoder.layers.0", ["decoder.embed", "projector"]),
];

const item = (modality: string, input: string, rows: number, merged: number): MediaItem => ({
  modality,
  contentKey: "",
  sample: 0,
  columns: new Int32Array(0),
  facts: { merged: [merged] },
  inputs: { [input]: { rows, width: 1 } },
  load: () => Promise.resolve({}),
});

it("counts a tower's rows by the items of its kind, and the text's by its tokens", () => {
  const planned = {
    model: { segments: SEGMENTS, text: { embeddings: { input: "words", output: "words" } } },
  } as unknown as PlannedContext;
  const media = [item("image", "pixels", 16, 4), item("audio", "frames", 30, 0), item("image", "pixels", 8, 2)];
  const rowsOf = segmentRows(planned, media, 50);
  expect(Object.fromEntries(SEGMENTS.map(({ name }) => [name, rowsOf(name)]))).toEqual({
    tower: 6,
    "tower.embeddings": 24,
    "tower.layers.0": 24,
    sound: 30,
    projector: 6,
    decoder: 50,
    "decoder.embed": 50,
    "decoder.layers.0": 50,
  });
  expect(segmentRows(planned, [], 50)("tower.layers.0")).toBe(0);
  expect(rowsOf("elsewhere")).toBe(50);
});
