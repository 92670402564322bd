import { mulberry32, type Random } from "@thaw/contracts";
import { cropWindow } from "./crop.js";
import type { AugmentOptions } from "../formats/generated/option-types.js";
import { pilResize } from "./pil-resize.js";
import type { RgbImage } from "./processor.js";

/** Defaults of the kinds that are switched on with `true`. */
const DEFAULTS = { flip: 0.5, crop: 0.8, colour: 0.2 } as const;

function amount(value: boolean | number | undefined, kind: keyof typeof DEFAULTS): number {
  return value === true ? DEFAULTS[kind] : value === false || value === undefined ? 0 : value;
}

/** Names of the kinds that change pictures, for the checker. */
export function augmentationKinds(options: AugmentOptions | undefined): string[] {
  if (options === undefined) return [];
  return (["flip", "crop", "colour"] as const).filter(
    (kind) => amount(options[kind], kind) > 0 && !(kind === "crop" && options.crop === 1),
  );
}

function mirror(image: RgbImage): RgbImage {
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < image.height; y += 1) {
    for (let x = 0; x < image.width; x += 1) {
      const from = (y * image.width + x) * 3;
      data.set(image.data.subarray(from, from + 3), (y * image.width + (image.width - 1 - x)) * 3);
    }
  }
  return { ...image, data };
}

/** A window of a random share of the area and the image's own aspect, resized back (bicubic). */
function crop(image: RgbImage, smallestShare: number, random: Random): RgbImage {
  const side = Math.sqrt(smallestShare + (1 - smallestShare) * random());
  const size = {
    width: Math.max(1, Math.round(image.width * side)),
    height: Math.max(1, Math.round(image.height * side)),
  };
  const left = Math.floor(random() * (image.width - size.width + 1));
  const top = Math.floor(random() * (image.height - size.height + 1));
  return pilResize(cropWindow(image, left, top, size), image, "bicubic");
}

/**
 * Brightness, contrast (around the mean) and saturation (around ITU-R BT.601 luma), each by a factor within 1 ±
 * strength.
 */
function colour(image: RgbImage, strength: number, random: Random): RgbImage {
  const factor = (): number => 1 + strength * (2 * random() - 1);
  const [brightness, contrast, saturation] = [factor(), factor(), factor()];
  const data = new Uint8ClampedArray(image.data.length);
  let sum = 0;
  for (const value of image.data) sum += value;
  const mean = (sum / Math.max(1, image.data.length)) * brightness;
  for (let at = 0; at < data.length; at += 3) {
    const [red, green, blue] = [0, 1, 2].map(
      (channel) => mean + ((image.data[at + channel] as number) * brightness - mean) * contrast,
    ) as [number, number, number];
    const grey = 0.299 * red + 0.587 * green + 0.114 * blue;
    [red, green, blue].forEach((value, channel) => (data[at + channel] = grey + (value - grey) * saturation));
  }
  return { ...image, data: new Uint8Array(data.buffer) };
}

/** Changes a picture at random; the same seed gives the same picture. */
export function augmentImage(image: RgbImage, options: AugmentOptions, seed: number): RgbImage {
  const random = mulberry32(seed);
  const kinds = augmentationKinds(options);
  let result = image;
  if (kinds.includes("crop")) result = crop(result, amount(options.crop, "crop"), random);
  if (kinds.includes("flip") && random() < amount(options.flip, "flip")) result = mirror(result);
  if (kinds.includes("colour")) result = colour(result, amount(options.colour, "colour"), random);
  return result;
}
