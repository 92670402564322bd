// @ts-check
import { cutPatches } from "@thaw/data";

/** @typedef {import("@thaw/safetensors").SafetensorsReader} Reader */
/** @typedef {import("@thaw/data").ItemPlan} Plan */
/** @typedef {Readonly<Record<string, Float32Array>>} Inputs */

/**
 * How a golden lays out its items' values, where it is not one of the usual ways ({@link pixelRows}): by model type,
 * what makes the inputs of each item in the rows that the processor promises.
 * @type {Readonly<Record<string, (reader: Reader, plans: readonly Plan[]) => Promise<readonly Inputs[]>>>}
 */
const LAYOUTS = {};

/**
 * The golden's values of each item, by input, in the rows of its plan.
 * @param {string} modelType
 * @param {Reader} reader
 * @param {readonly Plan[]} plans
 */
export function goldenValues(modelType, reader, plans) {
  return (LAYOUTS[modelType] ?? pixelRows)(reader, plans);
}

/**
 * `in.pixel_values` as patches `[rows, width]`, item after item, or as planes: pictures or tiles `[..., channels,
 * height, width]`, of which all zeros are missing ones, cut into patches of the width that the plans say.
 * @param {Reader} reader
 * @param {readonly Plan[]} plans
 * @returns {Promise<Inputs[]>}
 */
async function pixelRows(reader, plans) {
  const { shape } = reader.entry("in.pixel_values");
  const values = await reader.readFloat32("in.pixel_values");
  const width = /** @type {import("@thaw/contracts").RowSize} */ (plans[0]?.inputs["pixelValues"]).width;
  const rows = shape.length === 2 ? values : patchesOf(values, shape, width);
  let at = 0;
  return plans.map((plan) => {
    const size = width * /** @type {import("@thaw/contracts").RowSize} */ (plan.inputs["pixelValues"]).rows;
    at += size;
    return { pixelValues: rows.slice(at - size, at) };
  });
}

/**
 * @param {Float32Array} values
 * @param {readonly number[]} shape
 * @param {number} width
 */
function patchesOf(values, shape, width) {
  const [channels, height, columns] = /** @type {[number, number, number]} */ (shape.slice(-3));
  const size = channels * height * columns;
  const tiles = Array.from({ length: values.length / size }, (_, tile) =>
    values.subarray(tile * size, (tile + 1) * size),
  ).filter((tile) => tile.some((value) => value !== 0));
  const patch = Math.sqrt(width / channels);
  return Float32Array.from(tiles.flatMap((tile) => [...cutPatches(tile, { channels, height, width: columns }, patch)]));
}
