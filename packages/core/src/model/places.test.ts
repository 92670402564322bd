import type { Batch, MediaItem } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import { runToy, tapped } from "../toy/toy-trainer.js";
import { checkPlaces } from "./places.js";

const TOKENS = [
  { modality: "image", tokenId: 90, rows: ({ facts }: MediaItem) => facts.rows![0]! },
  { modality: "audio", tokenId: 91, rows: ({ facts }: MediaItem) => facts.rows![0]! },
];

function item(sample: number, columns: readonly number[], more: Partial<MediaItem> = {}): MediaItem {
  return {
    modality: "image",
    contentKey: "abc",
    sample,
    columns: Int32Array.from(columns),
    facts: { rows: [columns.length] },
    inputs: {},
    load: () => Promise.resolve({}),
    ...more,
  };
}

/** Two rows of five tokens; the second ends in padding that looks like a placeholder. */
function batch(media: readonly MediaItem[]): Parameters<typeof checkPlaces>[0] {
  return {
    tokenIds: Int32Array.of(1, 90, 90, 5, 91, 90, 6, 7, 90, 90),
    attentionMask: Int32Array.of(1, 1, 1, 1, 1, 1, 1, 1, 0, 0),
    batchSize: 2,
    tokenCount: 5,
    media,
    samples: [{ id: "train.jsonl:1" }, { id: "train.jsonl:2" }],
  };
}

const [picture, sound, other] = [item(0, [1, 2]), item(0, [4], { modality: "audio" }), item(1, [0])];

describe("placeholders and items", () => {
  it("fit where every column holds its placeholder and none is left over", () => {
    checkPlaces(batch([picture, sound, other]), TOKENS);
    checkPlaces(batch([item(0, [1]), item(0, [2]), sound, other]), TOKENS);
  });

  it("fit where a column holds another id that its kind may have, which is a word elsewhere", () => {
    const [image, audio] = TOKENS;
    checkPlaces(batch([item(0, [1, 2, 3]), sound, other]), [{ ...image!, otherIds: [5, 6] }, audio!]);
  });

  it("are not looked at where the model names no placeholder of the kind", () => {
    checkPlaces(batch([]), []);
    checkPlaces(batch([picture, other, item(7, [9], { modality: "scent" })]), TOKENS.slice(0, 1));
  });

  it.each([
    ["a placeholder without an item", [picture, sound], "Token 90 in column 0 of row 1, sample train.jsonl:2, "],
    ["a sound's placeholder without one", [picture, other], "Token 91 in column 4 of row 0, sample train.jsonl:1, "],
    ["one of several left over", [item(0, [1]), sound, other], "Token 90 in column 2 of row 0, sample train.jsonl:1, "],
  ] as const)("refuses %s by sample, column and token", (_, media, text) => {
    expect(() => checkPlaces(batch(media), TOKENS)).toThrow(
      expect.objectContaining({
        code: "THAW_CORE_PLACEHOLDER_WITHOUT_ITEM",
        message: expect.stringContaining(text),
      }),
    );
  });

  it.each([
    ["a column that holds a word", [item(0, [1, 3])], "names column 3, which holds token 5 and not its placeholder 90"],
    ["another kind's placeholder", [item(0, [4])], "names column 4, which holds token 91 and not its placeholder 90"],
    ["a column that is not there", [item(0, [1, 5])], "names column 5 of 5"],
    ["columns out of order", [item(0, [2, 1])], "names column 1 out of order"],
    ["a column of another item", [picture, item(0, [2])], "names column 2, which another item names too"],
    ["a row that is not there", [item(2, [1])], "belongs to row 2 of a batch of 2"],
    ["fewer columns than rows", [item(0, [1], { facts: { rows: [2] } })], "has 1 columns, but 2 rows of features"],
  ] as const)("refuses an item with %s", (_, media, text) => {
    expect(() => checkPlaces(batch([...media, sound, other]), TOKENS)).toThrow(
      expect.objectContaining({ code: "THAW_CORE_ITEM_MISPLACED", message: expect.stringContaining(text) }),
    );
  });

  it("are looked at in every batch of a run, as plugins leave it", async () => {
    const forgetful = tapped("Forgetful", ({ hooks }) => {
      hooks.batch.tapPromise("Forgetful", (given): Promise<Batch> => Promise.resolve({ ...given, media: [] }));
    });
    await expect(runToy({ plugins: [forgetful] })).rejects.toMatchObject({
      code: "THAW_CORE_PLACEHOLDER_WITHOUT_ITEM",
      message: expect.stringContaining("Token 0 in column 0 of row 0, sample sample-"),
    });
  });
});
