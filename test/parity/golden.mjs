// @ts-check
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cutPatches } from "@thaw/data";
import { openSafetensors } from "@thaw/safetensors";

/**
 * A golden folder as goldens/README.md describes it, its batch in items of rows whatever the shape of its pixels.
 * @param {string} folder
 */
export async function openGolden(folder) {
  const facts = JSON.parse(await readFile(join(folder, "golden.json"), "utf8"));
  const reader = await openSafetensors(join(folder, "golden.safetensors"));
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
  return { folder, facts, reader, batch: await readBatch(reader, config) };
}

/**
 * @typedef {{ image_token_index?: number, image_token_id?: number, vision_config: { patch_size: number } }} Config
 * @typedef {{ values: Float32Array, width: number, facts: Readonly<Record<string, readonly number[]>> }} GoldenItem
 */

/**
 * The batch on the host: one picture per row, in patches, with the placeholders of its row.
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @param {Config} config
 * @returns {Promise<import("@thaw/contracts").Batch>}
 */
async function readBatch(reader, config) {
  const [batchSize, tokenCount] = /** @type {[number, number]} */ (reader.entry("in.input_ids").shape);
  const tokenIds = await reader.readInt32("in.input_ids");
  const pictures = await patchesOf(reader, config.vision_config.patch_size);
  if (pictures.length !== batchSize) throw new Error(`${pictures.length} pictures for ${batchSize} rows.`);
  const placeholder = config.image_token_index ?? config.image_token_id;
  return {
    tokenIds,
    attentionMask: await reader.readInt32("in.attention_mask"),
    labels: await reader.readInt32("in.labels"),
    batchSize,
    tokenCount,
    media: pictures.map((picture, row) => {
      const own = tokenIds.subarray(row * tokenCount, (row + 1) * tokenCount);
      return itemOf(
        picture,
        row,
        Int32Array.from(own.keys()).filter((column) => own[column] === placeholder),
      );
    }),
    segmentOutputs: {},
    samples: Array.from({ length: batchSize }, (_, row) => ({ id: String(row) })),
  };
}

/**
 * The golden's pictures as rows of patches, as processors give them: a grid of them where the golden says one
 * (`image_grid_thw`), else the patches of each tile that is not a missing one, tile after tile.
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @param {number} patch
 * @returns {Promise<GoldenItem[]>}
 */
export async function patchesOf(reader, patch) {
  const { shape } = reader.entry("in.pixel_values");
  const values = await reader.readFloat32("in.pixel_values");
  if (shape.length === 2)
    return griddedPatches(values, /** @type {number} */ (shape[1]), await reader.readInt32("in.image_grid_thw"));
  const [channels, height, width] = /** @type {[number, number, number]} */ (shape.slice(-3));
  const tiles = shape.length === 5 ? /** @type {number} */ (shape[1]) : 1;
  const size = channels * height * width;
  return Array.from({ length: /** @type {number} */ (shape[0]) }, (_, picture) => {
    const own = Array.from({ length: tiles }, (_unused, tile) =>
      values.subarray((picture * tiles + tile) * size, (picture * tiles + tile + 1) * size),
    ).filter((tile) => tiles === 1 || tile.some((value) => value !== 0));
    const cut = own.map((tile) => cutPatches(tile, { channels, height, width }, patch));
    return {
      values: Float32Array.from(cut.flatMap((part) => [...part])),
      width: channels * patch ** 2,
      facts: { grid: [Math.floor(height / patch), Math.floor(width / patch)], tiles: [own.length] },
    };
  });
}

/**
 * @param {Float32Array} values patches of all pictures, one after the other
 * @param {number} width
 * @param {Int32Array} grids frames, rows and columns of each
 * @returns {GoldenItem[]}
 */
function griddedPatches(values, width, grids) {
  let start = 0;
  return Array.from({ length: grids.length / 3 }, (_, picture) => {
    const grid = [...grids.subarray(3 * picture, 3 * picture + 3)];
    const end = start + width * grid.reduce((product, count) => product * count, 1);
    const item = { values: values.slice(start, end), width, facts: { grid } };
    start = end;
    return item;
  });
}

/**
 * @param {GoldenItem} picture
 * @param {number} sample
 * @param {Int32Array} columns
 * @returns {import("@thaw/contracts").MediaItem}
 */
function itemOf({ values, width, facts }, sample, columns) {
  return {
    modality: "image",
    contentKey: createHash("sha256").update(values).digest("hex"),
    sample,
    columns,
    facts,
    inputs: { pixelValues: { rows: values.length / width, width } },
    load: async () => ({ pixelValues: values }),
  };
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
