import type { Batch } from "@thaw/core";
import { expect, test } from "vitest";
import { conceptsOf, isUnseenConcept } from "./concepts.js";
import { IMAGE_TOKENS } from "./model-files.js";
import { pictureSource } from "./picture-source.js";
import type { Rasters } from "./rasters.js";
import { trainingSetOf } from "./training-set.js";
import { makeViews, VIEW_LENGTH } from "./views.js";
import { openViewsPool } from "./views-pool.js";

const names = [
  "dog-face",
  "cat-face",
  "red-apple",
  "hot-dog",
  "green-book",
  "left-arrow",
  "snail",
  "whale",
  "axe",
  "bee",
];
const rasters: Rasters = { names, size: 96, bytes: new Uint8Array(new SharedArrayBuffer(names.length * 96 * 96 * 4)) };
for (let index = 0; index < rasters.bytes.length; index += 1) rasters.bytes[index] = (index * 2654435761) >>> 24;
const set = trainingSetOf(rasters);

function source(strength = 1) {
  return pictureSource({
    ...set,
    rasters,
    pool: openViewsPool(rasters, 0),
    viewsPerEpoch: 20,
    strengthAt: () => strength,
    tokenDropout: 0.5,
  });
}
async function read(options: { epoch?: number; skip?: number; shuffle?: boolean }): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of source().batches({ epoch: 0, seed: 7, microBatchSize: 8, shuffle: true, ...options }))
    batches.push(batch);
  return batches;
}

test("keeps visible pictures without skin tones", () => {
  const icons = {
    hand: { body: "" },
    "hand-medium-dark": { body: "" },
    "traffic-light": { body: "" },
    "wave-dark-skin-tone": { body: "" },
    old: { body: "", hidden: true },
  };
  expect(conceptsOf({ prefix: "x", icons }).map(({ caption }) => caption)).toEqual(["hand", "traffic light"]);
});

test("leaves unseen concepts out", () => {
  expect(names.filter(isUnseenConcept).length).toBeGreaterThan(0);
  expect(set.pictures.map(({ name }) => name)).toEqual(names.filter((name) => !isUnseenConcept(name)));
});

test("lays out image, prompt, caption, end, padding; the end is learned", async () => {
  const [batch] = await read({ shuffle: false });
  const { tokenIds, labels, attentionMask, tokenCount, batchSize, samples } = batch as Batch;
  expect([batchSize, samples[0]?.reference]).toEqual([8, set.captions[0]]);
  const caption = set.pictures[0]!.captionIds;
  const start = IMAGE_TOKENS + set.promptIds.length;
  expect([...tokenIds.subarray(0, start)]).toEqual([...Array(IMAGE_TOKENS).fill(4), ...set.promptIds]);
  expect([...labels.subarray(0, start)].every((label) => label === -100)).toBe(true);
  expect([...labels.subarray(start, start + caption.length + 1)]).toEqual([...caption, 2]);
  expect(attentionMask.subarray(0, tokenCount).reduce((sum, value) => sum + value, 0)).toBe(start + caption.length + 1);
  expect([...labels.subarray(start + caption.length + 1, tokenCount)].every((label) => label === -100)).toBe(true);
});

test("gives the same batches again, other ones in another epoch, and skips without changing them", async () => {
  const [first, again, skipped, other] = [
    await read({}),
    await read({}),
    await read({ skip: 2 }),
    await read({ epoch: 1 }),
  ];
  expect(first.map(({ batchSize }) => batchSize)).toEqual([8, 8, 4]);
  expect(again.map(({ tokenIds }) => tokenIds)).toEqual(first.map(({ tokenIds }) => tokenIds));
  expect(await again[1]!.media[3]!.load()).toEqual(await first[1]!.media[3]!.load());
  expect(skipped.map(({ tokenIds }) => tokenIds)).toEqual(first.slice(2).map(({ tokenIds }) => tokenIds));
  expect(await skipped[0]!.media[0]!.load()).toEqual(await first[2]!.media[0]!.load());
  expect(other[0]!.tokenIds).not.toEqual(first[0]!.tokenIds);
});

test("views stay in range, differ by seed and are plain at strength 0", () => {
  const views = makeViews(rasters, { views: [1, 2].map((seed) => ({ picture: 0, seed, mirror: true })), strength: 1 });
  expect(Math.min(...views)).toBeGreaterThanOrEqual(-0.75 / 0.32 - 1e-5);
  expect(Math.max(...views)).toBeLessThanOrEqual(0.25 / 0.32 + 1e-5);
  expect(views.subarray(0, VIEW_LENGTH)).not.toEqual(views.subarray(VIEW_LENGTH));
  const plain = makeViews(rasters, { views: [1, 2].map((seed) => ({ picture: 0, seed, mirror: true })), strength: 0 });
  expect(plain.subarray(0, VIEW_LENGTH)).toEqual(plain.subarray(VIEW_LENGTH));
});
