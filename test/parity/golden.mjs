// @ts-check
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openSafetensors } from "@thaw/safetensors";

/** Inputs that every batch has; the others are a family's own. */
const TOKEN_INPUTS = ["in.input_ids", "in.attention_mask", "in.labels"];

/**
 * A golden folder as goldens/README.md describes it.
 * @param {string} folder
 */
export async function openGolden(folder) {
  const facts = JSON.parse(await readFile(join(folder, "golden.json"), "utf8"));
  const reader = await openSafetensors(join(folder, "golden.safetensors"));
  return { folder, facts, reader, batch: await readBatch(reader) };
}

/**
 * The batch on the host. Inputs get Thaw's spelling (`in.pixel_values` is `pixelValues`), one item along the first axis
 * each.
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @returns {Promise<import("@thaw/contracts").Batch>}
 */
async function readBatch(reader) {
  const [batchSize, tokenCount] = /** @type {[number, number]} */ (reader.entry("in.input_ids").shape);
  /** @type {Record<string, import("@thaw/contracts").LazyItem[]>} */
  const inputs = {};
  for (const { name, shape, dtype } of reader.entries.values()) {
    if (name.startsWith("in.") && !TOKEN_INPUTS.includes(name) && dtype === "F32")
      inputs[camelCase(name.slice(3))] = await items(reader, name, shape);
  }
  return {
    tokenIds: await reader.readInt32("in.input_ids"),
    attentionMask: await reader.readInt32("in.attention_mask"),
    labels: await reader.readInt32("in.labels"),
    batchSize,
    tokenCount,
    inputs,
    segmentOutputs: {},
    samples: Array.from({ length: batchSize }, (_, row) => ({ id: String(row) })),
  };
}

/**
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @param {string} name
 * @param {readonly number[]} shape
 */
async function items(reader, name, [count = 0, ...shape]) {
  const values = await reader.readFloat32(name);
  const size = values.length / count;
  return Array.from({ length: count }, (_, index) => {
    const own = values.slice(index * size, (index + 1) * size);
    return { contentKey: createHash("sha256").update(own).digest("hex"), shape, load: async () => own };
  });
}

/** @param {string} name */
const camelCase = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

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
