// @ts-check
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cutPatches } from "@thaw/data";
import { openSafetensors } from "@thaw/safetensors";

/**
 * A golden folder as goldens/README.md describes it.
 * @param {string} folder
 */
export async function openGolden(folder) {
  const facts = JSON.parse(await readFile(join(folder, "golden.json"), "utf8"));
  const reader = await openSafetensors(join(folder, "golden.safetensors"));
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
  return { folder, facts, reader, batch: await readBatch(reader, config) };
}

/**
 * The batch on the host: the images of `in.pixel_values`, cut into patches, with as many placeholders each.
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @param {{ image_token_index: number, vision_config: { patch_size: number } }} config
 * @returns {Promise<import("@thaw/contracts").Batch>}
 */
async function readBatch(reader, config) {
  const [batchSize, tokenCount] = /** @type {[number, number]} */ (reader.entry("in.input_ids").shape);
  const tokenIds = await reader.readInt32("in.input_ids");
  const images = await patchesOf(reader, config.vision_config.patch_size);
  return {
    tokenIds,
    attentionMask: await reader.readInt32("in.attention_mask"),
    labels: await reader.readInt32("in.labels"),
    batchSize,
    tokenCount,
    media: mediaOf(images, placesOf(tokenIds, config.image_token_index), tokenCount),
    segmentOutputs: {},
    samples: Array.from({ length: batchSize }, (_, row) => ({ id: String(row) })),
  };
}

/**
 * The golden's pictures as rows of patches, as the processor gives them.
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @param {number} patch
 */
export async function patchesOf(reader, patch) {
  const [count, channels, height, width] = /** @type {[number, number, number, number]} */ (
    reader.entry("in.pixel_values").shape
  );
  const values = await reader.readFloat32("in.pixel_values");
  const size = values.length / count;
  return Array.from({ length: count }, (_, index) => ({
    values: cutPatches(values.subarray(index * size, (index + 1) * size), { channels, height, width }, patch),
    width: channels * patch ** 2,
  }));
}

/**
 * Rows of the flattened tokens that hold placeholders.
 * @param {Int32Array} tokenIds
 * @param {number} placeholder
 */
const placesOf = (tokenIds, placeholder) => [...tokenIds.keys()].filter((at) => tokenIds[at] === placeholder);

/**
 * Equally many placeholders for each image, in order.
 * @param {Awaited<ReturnType<typeof patchesOf>>} images
 * @param {readonly number[]} places
 * @param {number} tokenCount
 * @returns {import("@thaw/contracts").MediaItem[]}
 */
function mediaOf(images, places, tokenCount) {
  const share = places.length / images.length;
  return images.map(({ values, width }, index) => {
    const own = places.slice(index * share, (index + 1) * share);
    return {
      modality: "image",
      contentKey: createHash("sha256").update(values).digest("hex"),
      sample: Math.floor(/** @type {number} */ (own[0]) / tokenCount),
      columns: Int32Array.from(own, (at) => at % tokenCount),
      facts: {},
      inputs: { pixelValues: { rows: values.length / width, width } },
      load: async () => ({ pixelValues: values }),
    };
  });
}

/**
 * A source that gives the golden's batch once an epoch.
 * @param {import("@thaw/contracts").Batch} batch
 * @returns {import("@thaw/contracts").BatchSource}
 */
export function onlyBatch(batch) {
  return {
    name: "golden",
    sampleCount: batch.batchSize,
    augmentations: [],
    async *batches({ skip = 0 }) {
      if (skip === 0) yield { ...batch, segmentOutputs: {} };
    },
    close: async () => undefined,
  };
}
