import type { Random } from "@thaw/data";
import { normal, uniform } from "./random.js";

const SIDE = 48;
const PIXELS = SIDE * SIDE;

/** Turns hue, saturation, contrast, brightness and gamma of a premultiplied `[4, 48, 48]` picture in place. */
export function turnColours(
  picture: Float32Array,
  options: { readonly strength: number; readonly random: Random },
): void {
  const { strength, random } = options;
  const spread = (range: number): number => uniform(random, -range, range) * strength;
  const hue = spread(random() < 0.15 ? 0.8 : 0.25);
  const grey = random() < 0.1 * strength;
  const saturation = grey ? 0 : 1 + spread(0.35);
  const contrast = 1 + spread(0.35);
  const brightness = spread(0.15);
  const gamma = Math.exp(spread(0.3));
  // Rotation in YIQ's chroma plane, scaled by the saturation; rows are RGB to RGB.
  const cosine = saturation * Math.cos(hue);
  const sine = saturation * Math.sin(hue);
  const matrix = [
    0.299 + 0.701 * cosine + 0.168 * sine,
    0.587 - 0.587 * cosine + 0.33 * sine,
    0.114 - 0.114 * cosine - 0.497 * sine,
    0.299 - 0.299 * cosine - 0.328 * sine,
    0.587 + 0.413 * cosine + 0.035 * sine,
    0.114 - 0.114 * cosine + 0.292 * sine,
    0.299 - 0.3 * cosine + 1.25 * sine,
    0.587 - 0.588 * cosine - 1.05 * sine,
    0.114 + 0.886 * cosine - 0.203 * sine,
  ] as const;
  for (let pixel = 0; pixel < PIXELS; pixel += 1) {
    const alpha = picture[pixel + 3 * PIXELS] as number;
    if (alpha < 1e-3) continue;
    const red = (picture[pixel] as number) / alpha;
    const green = (picture[pixel + PIXELS] as number) / alpha;
    const blue = (picture[pixel + 2 * PIXELS] as number) / alpha;
    for (let channel = 0; channel < 3; channel += 1) {
      const mixed =
        (matrix[channel * 3] as number) * red +
        (matrix[channel * 3 + 1] as number) * green +
        (matrix[channel * 3 + 2] as number) * blue;
      const stretched = (mixed - 0.5) * contrast + 0.5 + brightness;
      const clipped = stretched < 0 ? 0 : stretched > 1 ? 1 : stretched;
      picture[pixel + channel * PIXELS] = alpha * clipped ** gamma;
    }
  }
}

/** Puts a dark line around a premultiplied `[4, 48, 48]` picture, under it. */
export function darkOutline(picture: Float32Array, opacity: number): void {
  const alpha = picture.slice(3 * PIXELS);
  for (let row = 0; row < SIDE; row += 1) {
    for (let column = 0; column < SIDE; column += 1) {
      const pixel = row * SIDE + column;
      let widest = alpha[pixel] as number;
      if (column > 0) widest = Math.max(widest, alpha[pixel - 1] as number);
      if (column < SIDE - 1) widest = Math.max(widest, alpha[pixel + 1] as number);
      if (row > 0) widest = Math.max(widest, alpha[pixel - SIDE] as number);
      if (row < SIDE - 1) widest = Math.max(widest, alpha[pixel + SIDE] as number);
      const own = alpha[pixel] as number;
      const line = opacity * widest * (1 - own);
      for (let channel = 0; channel < 3; channel += 1) {
        picture[pixel + channel * PIXELS] = (picture[pixel + channel * PIXELS] as number) + line * 0.12;
      }
      picture[pixel + 3 * PIXELS] = own + line;
    }
  }
}

/**
 * A colour per corner, blended; half of the time one colour everywhere. Corners are RGB in order top left, top right,
 * bottom left, bottom right.
 */
export function otherBackground(random: Random): readonly (readonly number[])[] {
  const colour = (): number[] => Array.from({ length: 3 }, () => uniform(random, 0, 1));
  const first = colour();
  return random() < 0.5 ? [first, first, first, first] : [first, colour(), colour(), colour()];
}

/** Puts a premultiplied `[4, 48, 48]` picture on white or on the given corners; the result is `[3, 48, 48]`. */
export function compositeOver(picture: Float32Array, corners?: readonly (readonly number[])[]): Float32Array {
  const image = picture.slice(0, 3 * PIXELS);
  for (let channel = 0; channel < 3; channel += 1) {
    const [topLeft, topRight, bottomLeft, bottomRight] = (corners ?? []).map((corner) => corner[channel] as number);
    for (let pixel = 0; pixel < PIXELS; pixel += 1) {
      const clear = 1 - (picture[pixel + 3 * PIXELS] as number);
      let ground = 1;
      if (topLeft !== undefined && topRight !== undefined && bottomLeft !== undefined && bottomRight !== undefined) {
        const x = (pixel % SIDE) / (SIDE - 1);
        const y = Math.floor(pixel / SIDE) / (SIDE - 1);
        ground = (topLeft * (1 - x) + topRight * x) * (1 - y) + (bottomLeft * (1 - x) + bottomRight * x) * y;
      }
      image[channel * PIXELS + pixel] = (image[channel * PIXELS + pixel] as number) + clear * ground;
    }
  }
  return image;
}

/** Rounds to `levels` + 1 values a channel. */
export function posterise(image: Float32Array, levels: number): void {
  for (let index = 0; index < image.length; index += 1)
    image[index] = Math.round((image[index] as number) * levels) / levels;
}

/** Adds normal noise of this deviation. */
export function noise(image: Float32Array, deviation: number, random: Random): void {
  for (let index = 0; index < image.length; index += 1)
    image[index] = (image[index] as number) + deviation * normal(random);
}

/** Covers a rectangle of up to 40 % of each side with one colour. */
export function cutOut(image: Float32Array, random: Random): void {
  const width = Math.round(uniform(random, 0.1, 0.4) * SIDE);
  const height = Math.round(uniform(random, 0.1, 0.4) * SIDE);
  const left = Math.floor(random() * (SIDE - width + 1));
  const top = Math.floor(random() * (SIDE - height + 1));
  const isWhite = random() < 0.5;
  for (let channel = 0; channel < 3; channel += 1) {
    const value = isWhite ? 1 : random();
    for (let row = top; row < top + height; row += 1)
      image.fill(value, channel * PIXELS + row * SIDE + left, channel * PIXELS + row * SIDE + left + width);
  }
}
