// @ts-check
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeRgb, encodePrompt } from "@thaw/data";
import { openProcessor } from "@thaw/models";
import { patchesOf } from "./golden.mjs";
import { judged, maxDifference } from "./compare.mjs";

/** goldens/README.md, section Tolerances. */
const PIXELS = 1e-5;

/**
 * What the processor makes of the golden's pictures and messages.
 * @param {import("./runs.mjs").Golden} golden
 * @returns {AsyncGenerator<import("./compare.mjs").Comparison>}
 */
export async function* compareInputs({ folder, facts, reader, batch }) {
  const processor = await openProcessor(folder);
  const { module, exportName, options } = processor.media.image.worker;
  /** @type {import("@thaw/data").ImageProcessor} */
  const images = (await import(module))[exportName](options);
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
  /** @type {Float32Array[]} */
  const pixels = [];
  /** @type {import("@thaw/data").ItemPlan[]} */
  const plans = [];
  for (const file of facts.images) {
    const image = await decodeRgb(await readFile(join(folder, file)), { exif: true });
    pixels.push(images.process(image)["pixelValues"] ?? new Float32Array());
    plans.push(processor.media.image.plan({ width: image.width, height: image.height }));
  }
  yield judged(
    folder,
    "pixel_values",
    maxDifference(
      joined(pixels),
      joined((await patchesOf(reader, config.vision_config.patch_size)).map(({ values }) => values)),
    ),
    PIXELS,
  );
  const wrong = facts.text.map(
    (/** @type {{ messages: import("@thaw/data").Message[] }} */ { messages }, /** @type {number} */ row) =>
      differentIds(
        encodePrompt(processor, messages, {
          plans: [/** @type {import("@thaw/data").ItemPlan} */ (plans[row])],
          origin: `${folder} sample ${row}`,
        }).tokenIds,
        promptOf(batch, row),
      ),
  );
  yield judged(folder, "prompt_ids", Math.max(...wrong), 0);
}

/** @param {readonly Float32Array[]} parts */
function joined(parts) {
  const all = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/**
 * Ids of a row before its first supervised token.
 * @param {import("@thaw/contracts").Batch} batch
 * @param {number} row
 */
function promptOf({ tokenIds, labels, tokenCount }, row) {
  const start = row * tokenCount;
  return tokenIds.subarray(
    start,
    start + labels.subarray(start, start + tokenCount).findIndex((label) => label !== -100),
  );
}

/**
 * How many ids differ; all that one side has more count.
 * @param {readonly number[]} got
 * @param {Int32Array} wanted
 */
function differentIds(got, wanted) {
  const length = Math.max(got.length, wanted.length);
  return Array.from({ length }, (_, index) => got[index] !== wanted[index]).filter(Boolean).length;
}
