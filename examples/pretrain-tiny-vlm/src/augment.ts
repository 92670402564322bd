import type { Random } from "@thaw/data";
import {
  compositeOver,
  cutOut,
  darkOutline,
  noise,
  otherBackground,
  posterise,
  turnColours,
} from "./augment-colour.js";
import { blur, morph, warp } from "./augment-shape.js";
import { uniform } from "./random.js";

/** Side of the stored rasters and of the pictures the model sees. */
export const RASTER_SIZE = 96;
export const IMAGE_SIZE = 48;
export const IMAGE_MEAN = 0.75;
export const IMAGE_DEVIATION = 0.32;

/** A mirror would change what these names say. */
const HANDED = new RegExp(
  String.raw`left|right|clock|arrow|letter|button|flag|sign|mark|number|keycap|digit|input|o-cloc` +
    String.raw`k|thirty|hand|symbol|medal|notes|input|latin|chart`,
);

/** True if a picture of this name may be mirrored. */
export function mayMirror(name: string): boolean {
  return !HANDED.test(name);
}

/**
 * One random view of a picture. `raster` is `[96, 96, 4]` RGBA bytes, not premultiplied; the result is `[3, 48, 48]`
 * normalised float32 in `output`. `strength` from 0 to 1 scales every range and probability; what transfers from one
 * artist to another is learned from these changes.
 */
export function augment(
  raster: Uint8Array,
  options: {
    readonly strength: number;
    readonly mirror: boolean;
    readonly random: Random;
    readonly output: Float32Array;
  },
): void {
  const { strength, random, output } = options;
  const chance = (probability: number): boolean => random() < probability * strength;
  const mirror = options.mirror && chance(0.2);
  const picture = warp(raster, { strength, mirror, random });
  turnColours(picture, { strength, random });
  const background = chance(0.2) ? otherBackground(random) : undefined;
  if (chance(0.2)) darkOutline(picture, uniform(random, 0.4, 1));
  const image = compositeOver(picture, background);
  if (chance(0.3)) morph(image, { thicken: random() < 0.5, share: uniform(random, 0.3, 1) });
  if (chance(0.3)) blur(image, uniform(random, 0.3, 1));
  if (chance(0.25)) posterise(image, 2 + Math.floor(random() * 4));
  if (chance(0.2)) noise(image, uniform(random, 0.02, 0.1), random);
  if (chance(0.3)) cutOut(image, random);
  for (let index = 0; index < image.length; index += 1) {
    const value = image[index] as number;
    output[index] = ((value < 0 ? 0 : value > 1 ? 1 : value) - IMAGE_MEAN) / IMAGE_DEVIATION;
  }
}
