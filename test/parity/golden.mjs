// @ts-check
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { itemColumns } from "@thaw/data";
import { openProcessor } from "@thaw/models";
import { openSafetensors } from "@thaw/safetensors";
import { readItems } from "./media.mjs";

/**
 * A golden folder as goldens/README.md describes it: its batch, and that of conversations of several turns, in items of
 * rows. What items are (rows, facts, placeholders) is what the folder's processor says of the files; their values are
 * the golden's. `media` in golden.json says the files of each row where these are not one a row, in order.
 * @param {string} folder
 */
export async function openGolden(folder) {
  const facts = JSON.parse(await readFile(join(folder, "golden.json"), "utf8"));
  const reader = await openSafetensors(join(folder, "golden.safetensors"));
  const processor = await openProcessor(folder);
  const items = await readItems(folder, facts, processor, reader);
  const multi =
    facts.multi?.text === undefined ? undefined : await readBatch(reader, "multi.in", items, facts.multi.media);
  const media = facts.media ?? items.map(({ file }) => [file]);
  return { folder, facts, reader, processor, items, media, batch: await readBatch(reader, "in", items, media), multi };
}

/** @typedef {import("./media.mjs").GoldenItem} GoldenItem */

/**
 * The batch on the host, whose tensors begin with `prefix`.
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @param {string} prefix
 * @param {readonly GoldenItem[]} items
 * @param {readonly (readonly string[])[]} media files of each row
 * @returns {Promise<import("@thaw/contracts").Batch>}
 */
async function readBatch(reader, prefix, items, media) {
  const [batchSize, tokenCount] = /** @type {[number, number]} */ (reader.entry(`${prefix}.input_ids`).shape);
  const tokenIds = await reader.readInt32(`${prefix}.input_ids`);
  return {
    tokenIds,
    attentionMask: await reader.readInt32(`${prefix}.attention_mask`),
    labels: await reader.readInt32(`${prefix}.labels`),
    batchSize,
    tokenCount,
    media: media.flatMap((files, row) =>
      placed(
        files.map((file) => /** @type {GoldenItem} */ (items.find((item) => item.file === file))),
        tokenIds.subarray(row * tokenCount, (row + 1) * tokenCount),
        row,
      ),
    ),
    segmentOutputs: {},
    samples: Array.from({ length: batchSize }, (_, row) => ({ id: String(row) })),
  };
}

/**
 * Items of one row, each with the next placeholders of its plan.
 * @param {readonly GoldenItem[]} items
 * @param {Int32Array} tokenIds
 * @param {number} sample
 * @returns {import("@thaw/contracts").MediaItem[]}
 */
export function placed(items, tokenIds, sample) {
  let at = 0;
  return items.map(({ modality, contentKey, plan, values }) => {
    const columns = itemColumns(plan, tokenIds, at);
    if (columns === undefined) throw new Error(`Row ${sample} has too few placeholders ${plan.tokenId}.`);
    at = (columns.at(-1) ?? at - 1) + 1;
    return { modality, contentKey, sample, columns, facts: plan.facts, inputs: plan.inputs, load: async () => values };
  });
}

/**
 * A source that gives the golden's batch once per epoch.
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
