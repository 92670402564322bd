// @ts-check
import { cutPatches, placeOf } from "@thaw/data";
import { melFrames, paddedClips } from "./mel-frames.mjs";

/** @typedef {import("@thaw/safetensors").SafetensorsReader} Reader */
/** @typedef {import("@thaw/data").ItemPlan} Plan */
/** @typedef {Readonly<Record<string, Float32Array>>} Inputs */

/**
 * How a golden lays out its items' values, where it is not one of the usual ways ({@link pixelRows}): by model type,
 * what makes the inputs of each item in the rows that the processor promises.
 * @type {Readonly<Record<string, (reader: Reader, plans: readonly Plan[]) => Promise<readonly Inputs[]>>>}
 */
const LAYOUTS = {
  gemma4: paddedTiles,
  gemma4_unified: paddedTiles,
  idefics3: tokenBlocks,
  internvl: tokenBlocks,
  lfm2_vl: paddedTiles,
  minicpmv4_6: patchesSideBySide,
  paddleocr_vl: patchesByRow,
  smolvlm: tokenBlocks,
};

/**
 * The golden's values of each item, by input, in the rows of its plan.
 * @param {string} modelType
 * @param {Reader} reader
 * @param {readonly Plan[]} plans
 * @returns {Promise<Inputs[]>}
 */
export async function goldenValues(modelType, reader, plans) {
  const isHeard = (/** @type {Plan} */ plan) => plan.inputs["inputFeatures"] !== undefined;
  const [heard, seen] = [plans.filter(isHeard), plans.filter((plan) => !isHeard(plan))];
  const hear = modelType.startsWith("gemma4") ? paddedClips : melFrames;
  const clips = heard.length === 0 ? [] : [...(await hear(reader, heard))];
  const pictures = seen.length === 0 ? [] : [...(await (LAYOUTS[modelType] ?? pixelRows)(reader, seen))];
  return plans.map((plan) => /** @type {Inputs} */ ((isHeard(plan) ? clips : pictures).shift()));
}

/**
 * `in.pixel_values` as patches `[rows, width]`, item after item, or as planes: pictures or tiles `[..., channels,
 * height, width]`, of which all zeros are missing ones, cut into patches of the width that the plans say. With
 * `in.image_sizes`, pictures are padded to the size of the largest.
 * @param {Reader} reader
 * @param {readonly Plan[]} plans
 * @param {number} [merge] patches a side of blocks that come one after the other
 * @returns {Promise<Inputs[]>}
 */
async function pixelRows(reader, plans, merge) {
  const { shape } = reader.entry("in.pixel_values");
  const values = await reader.readFloat32("in.pixel_values");
  const width = /** @type {import("@thaw/contracts").RowSize} */ (plans[0]?.inputs["pixelValues"]).width;
  if (shape.length === 4 && reader.entries.has("in.image_sizes")) return paddedPictures(values, shape, plans);
  const rows = shape.length === 2 ? values : patchesOf(values, shape, width, merge);
  let at = 0;
  return plans.map((plan) => {
    const size = width * /** @type {import("@thaw/contracts").RowSize} */ (plan.inputs["pixelValues"]).rows;
    at += size;
    return { pixelValues: rows.slice(at - size, at) };
  });
}

/**
 * Tiles as in {@link pixelRows}, the patches of a token one after the other.
 * @param {Reader} reader
 * @param {readonly Plan[]} plans
 */
function tokenBlocks(reader, plans) {
  const { inputs, tokenCount } = /** @type {Plan} */ (plans[0]);
  const { rows } = /** @type {import("@thaw/contracts").RowSize} */ (inputs["pixelValues"]);
  return pixelRows(reader, plans, Math.sqrt(rows / tokenCount));
}

/**
 * @param {Float32Array} values
 * @param {readonly number[]} shape
 * @param {number} width
 * @param {number} [merge]
 */
function patchesOf(values, shape, width, merge) {
  const [channels, height, columns] = /** @type {[number, number, number]} */ (shape.slice(-3));
  const size = channels * height * columns;
  const tiles = Array.from({ length: values.length / size }, (_, tile) =>
    values.subarray(tile * size, (tile + 1) * size),
  ).filter((tile) => tile.some((value) => value !== 0));
  const patch = Math.sqrt(width / channels);
  return Float32Array.from(
    tiles.flatMap((tile) => [...cutPatches(tile, { channels, height, width: columns }, patch, merge)]),
  );
}

/**
 * Pictures `[pictures, channels, height, width]` of any size, zeros right and below, cut by the blocks of tokens.
 * @param {Float32Array} values
 * @param {readonly number[]} shape
 * @param {readonly Plan[]} plans
 */
function paddedPictures(values, shape, plans) {
  const [channels, height, columns] = /** @type {[number, number, number]} */ (shape.slice(1));
  return plans.map(({ facts, inputs, tokenCount }, picture) => {
    const { rows, width } = /** @type {import("@thaw/contracts").RowSize} */ (inputs["pixelValues"]);
    const patch = Math.sqrt(width / channels);
    const grid = /** @type {readonly [number, number]} */ (facts["grid"]);
    const own = { channels, height: grid[0] * patch, width: grid[1] * patch };
    const planes = Array.from({ length: channels * own.height }, (_, line) => {
      const [channel, y] = [Math.floor(line / own.height), line % own.height];
      const at = ((picture * channels + channel) * height + y) * columns;
      return [...values.subarray(at, at + own.width)];
    });
    const merge = Math.sqrt(rows / tokenCount);
    return { pixelValues: cutPatches(Float32Array.from(planes.flat()), own, patch, merge) };
  });
}

/**
 * Tiles as patches `[tiles, most, width]`, row by row, zeros at the end; brought into the order of tokens.
 * @param {Reader} reader
 * @param {readonly Plan[]} plans
 * @returns {Promise<Inputs[]>}
 */
async function paddedTiles(reader, plans) {
  const [, most, width] = /** @type {[number, number, number]} */ (reader.entry("in.pixel_values").shape);
  const values = await reader.readFloat32("in.pixel_values");
  let tile = 0;
  return plans.map(({ facts, inputs, tokenCount }) => {
    const { rows } = /** @type {import("@thaw/contracts").RowSize} */ (inputs["pixelValues"]);
    const merge = Math.sqrt(rows / tokenCount);
    const sides = /** @type {readonly number[]} */ (facts["grids"] ?? facts["grid"]);
    const found = new Float32Array(rows * width);
    let to = 0;
    for (let grid = 0; 2 * grid < sides.length; grid++, tile++) {
      const [height, columns] = /** @type {[number, number]} */ (sides.slice(2 * grid, 2 * grid + 2));
      for (let index = 0; index < height * columns; index++, to += width) {
        const [row, column] = placeOf(index, columns, merge);
        const from = (tile * most + row * columns + column) * width;
        found.set(values.subarray(from, from + width), to);
      }
    }
    return { pixelValues: found };
  });
}

/**
 * `in.pixel_values` as patches `[patches, channels, patch, patch]`, each picture's row by row, in the order of blocks.
 * @param {Reader} reader
 * @param {readonly Plan[]} plans
 * @returns {Promise<Inputs[]>}
 */
async function patchesByRow(reader, plans) {
  const values = await reader.readFloat32("in.pixel_values");
  let at = 0;
  return plans.map(({ facts, inputs, tokenCount }) => {
    const { rows, width } = /** @type {import("@thaw/contracts").RowSize} */ (inputs["pixelValues"]);
    const [columns, merge] = [Number(facts["grid"]?.[2]), Math.sqrt(rows / tokenCount)];
    const own = new Float32Array(rows * width);
    for (let index = 0; index < rows; index++) {
      const [row, column] = placeOf(index, columns, merge);
      const from = (at + row * columns + column) * width;
      own.set(values.subarray(from, from + width), index * width);
    }
    at += rows;
    return { pixelValues: own };
  });
}

/**
 * Slices as patches side by side, `[1, channels, patch, patches * patch]`, each slice row by row; brought into the
 * order of the processor: row by row, or by blocks of 2x2 where a token has 4x4 patches.
 * @param {Reader} reader
 * @param {readonly Plan[]} plans
 * @returns {Promise<Inputs[]>}
 */
async function patchesSideBySide(reader, plans) {
  const [, channels, patch, line] = /** @type {[number, number, number, number]} */ (
    reader.entry("in.pixel_values").shape
  );
  const values = await reader.readFloat32("in.pixel_values");
  const width = channels * patch * patch;
  let first = 0;
  return plans.map(({ facts, inputs, tokenCount }) => {
    const { rows } = /** @type {import("@thaw/contracts").RowSize} */ (inputs["pixelValues"]);
    const merge = Math.sqrt(rows / tokenCount) / 2;
    const sides = /** @type {readonly number[]} */ (facts["grids"]);
    const found = new Float32Array(rows * width);
    let to = 0;
    for (let grid = 0; 2 * grid < sides.length; grid++) {
      const [height, columns] = /** @type {[number, number]} */ (sides.slice(2 * grid, 2 * grid + 2));
      for (let index = 0; index < height * columns; index++) {
        const [row, column] = placeOf(index, columns, merge);
        const from = (first + row * columns + column) * patch;
        for (let strip = 0; strip < channels * patch; strip++, to += patch)
          found.set(values.subarray(strip * line + from, strip * line + from + patch), to);
      }
      first += height * columns;
    }
    return { pixelValues: found };
  });
}
