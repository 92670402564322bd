// @ts-check
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeClip, decodeRgb, mediaOf } from "@thaw/data";
import { goldenValues } from "./layouts.mjs";

/**
 * One picture or clip: what the processor says and makes of it, and the golden's values in the same rows, by input.
 * @typedef {{ readonly file: string, readonly modality: "image" | "audio", readonly contentKey: string, readonly plan:
 * import("@thaw/data").ItemPlan, readonly made: Readonly<Record<string, Float32Array>>, readonly values:
 * Readonly<Record<string, Float32Array>> }} GoldenItem
 */

/**
 * The golden's pictures or clips in order.
 * @param {string} folder
 * @param {{ images?: readonly string[], audio?: readonly string[], model_type: string }} facts
 * @param {import("@thaw/data").Processor} processor
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @returns {Promise<GoldenItem[]>}
 */
export async function readItems(folder, facts, processor, reader) {
  const read = await Promise.all([
    ...(facts.images ?? []).map((file) => readPicture(folder, file, processor)),
    ...(facts.audio ?? []).map((file) => readClip(folder, file, processor)),
  ]);
  const values = await goldenValues(
    facts.model_type,
    reader,
    read.map(({ plan }) => plan),
  );
  return read.map((item, index) => {
    const own = /** @type {Readonly<Record<string, Float32Array>>} */ (values[index]);
    const hash = createHash("sha256");
    for (const part of Object.values(own)) hash.update(part);
    return { ...item, contentKey: hash.digest("hex"), values: own };
  });
}

/**
 * @param {string} folder
 * @param {string} file
 * @param {import("@thaw/data").Processor} processor
 */
async function readPicture(folder, file, processor) {
  const image = await decodeRgb(await readFile(join(folder, file)), { exif: true });
  const media = mediaOf(processor, "image", file);
  const plan = media.plan({ width: image.width, height: image.height });
  const { module, exportName, options } = media.worker;
  /** @type {import("@thaw/data").ImageProcessor} */
  const images = (await import(module))[exportName](options);
  return { file, modality: /** @type {const} */ ("image"), plan, made: images.process(image) };
}

/**
 * @param {string} folder
 * @param {string} file
 * @param {import("@thaw/data").Processor} processor
 */
async function readClip(folder, file, processor) {
  const media = mediaOf(processor, "audio", file);
  const clip = await decodeClip(await readFile(join(folder, file)), media.samplingRate);
  const plan = media.plan({ sampleCount: clip.samples.length });
  const { module, exportName, options } = media.worker;
  /** @type {import("@thaw/data").AudioProcessor} */
  const clips = (await import(module))[exportName](options);
  return { file, modality: /** @type {const} */ ("audio"), plan, made: clips.process(clip) };
}
