import type { Random } from "@thaw/data";
import { uniform } from "./random.js";

const FROM = 96;
const TO = 48;
const GRID = 4;

/**
 * Rotates, scales, shears, shifts and bends `[96, 96, 4]` bytes into a premultiplied `[4, 48, 48]` picture (planes:
 * red, green, blue, alpha). Four bilinear reads a pixel, so that halving does not alias.
 */
export function warp(
  raster: Uint8Array,
  options: { readonly strength: number; readonly mirror: boolean; readonly random: Random },
): Float32Array {
  const { strength, mirror, random } = options;
  const spread = (range: number): number => uniform(random, -range, range) * strength;
  const angle = spread((20 * Math.PI) / 180);
  const scale = Math.exp(spread(Math.log(1.27)));
  const aspect = Math.exp(spread(Math.log(1.25)) / 2);
  const shear = spread(0.15);
  const shiftX = spread(0.12);
  const shiftY = spread(0.12);
  const flip = mirror ? -1 : 1;
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  const xx = (flip * (cosine + shear * sine)) / (scale * aspect);
  const xy = (flip * (sine - shear * cosine)) / (scale * aspect);
  const yx = (-sine * aspect) / scale;
  const yy = (cosine * aspect) / scale;
  const bendX = Float32Array.from({ length: GRID * GRID }, () => spread(0.08));
  const bendY = Float32Array.from({ length: GRID * GRID }, () => spread(0.08));
  const output = new Float32Array(4 * TO * TO);
  for (let row = 0; row < TO; row += 1) {
    for (let column = 0; column < TO; column += 1) {
      const u = (column + 0.5) / TO;
      const v = (row + 0.5) / TO;
      const bend = gridWeights(u, v);
      const dx = u - 0.5 - shiftX + readGrid(bendX, bend);
      const dy = v - 0.5 - shiftY + readGrid(bendY, bend);
      const x = (xx * dx + xy * dy + 0.5) * FROM - 0.5;
      const y = (yx * dx + yy * dy + 0.5) * FROM - 0.5;
      for (let tap = 0; tap < 4; tap += 1) {
        const sx = (tap & 1) - 0.5;
        const sy = (tap >> 1) - 0.5;
        addBilinear(raster, x + xx * sx + xy * sy, y + yx * sx + yy * sy, output, row * TO + column);
      }
    }
  }
  return output;
}

interface GridWeights {
  readonly base: number;
  readonly x: number;
  readonly y: number;
}

function gridWeights(u: number, v: number): GridWeights {
  const gx = u * (GRID - 1);
  const gy = v * (GRID - 1);
  const column = Math.min(GRID - 2, Math.floor(gx));
  const row = Math.min(GRID - 2, Math.floor(gy));
  const smooth = (t: number): number => t * t * (3 - 2 * t);
  return { base: row * GRID + column, x: smooth(gx - column), y: smooth(gy - row) };
}

function readGrid(grid: Float32Array, { base, x, y }: GridWeights): number {
  const top = (grid[base] as number) * (1 - x) + (grid[base + 1] as number) * x;
  const bottom = (grid[base + GRID] as number) * (1 - x) + (grid[base + GRID + 1] as number) * x;
  return top * (1 - y) + bottom * y;
}

/** Adds a quarter of the premultiplied colour at (x, y); outside the raster is transparent. */
function addBilinear(raster: Uint8Array, x: number, y: number, output: Float32Array, pixel: number): void {
  const left = Math.floor(x);
  const top = Math.floor(y);
  for (let corner = 0; corner < 4; corner += 1) {
    const column = left + (corner & 1);
    const row = top + (corner >> 1);
    if (column < 0 || row < 0 || column >= FROM || row >= FROM) continue;
    const at = (row * FROM + column) * 4;
    const alpha = raster[at + 3] as number;
    if (alpha === 0) continue;
    const weight =
      (0.25 * (corner & 1 ? x - left : 1 - x + left) * (corner >> 1 ? y - top : 1 - y + top) * alpha) / 255;
    const colour = weight / 255;
    output[pixel] = (output[pixel] as number) + colour * (raster[at] as number);
    output[pixel + TO * TO] = (output[pixel + TO * TO] as number) + colour * (raster[at + 1] as number);
    output[pixel + 2 * TO * TO] = (output[pixel + 2 * TO * TO] as number) + colour * (raster[at + 2] as number);
    output[pixel + 3 * TO * TO] = (output[pixel + 3 * TO * TO] as number) + weight;
  }
}

/**
 * Thickens (minimum) or thins (maximum) dark lines over a cross of five pixels of `[3, 48, 48]`, mixed in by `share`.
 */
export function morph(image: Float32Array, options: { readonly thicken: boolean; readonly share: number }): void {
  const choose = options.thicken ? Math.min : Math.max;
  overNeighbours(
    image,
    (centre, left, right, up, down) => centre + options.share * (choose(centre, left, right, up, down) - centre),
  );
}

/** A soft blur over a cross of five pixels of `[3, 48, 48]`, mixed in by `share`. */
export function blur(image: Float32Array, share: number): void {
  overNeighbours(
    image,
    (centre, left, right, up, down) => centre + share * ((2 * centre + left + right + up + down) / 6 - centre),
  );
}

function overNeighbours(
  image: Float32Array,
  combine: (centre: number, left: number, right: number, up: number, down: number) => number,
): void {
  const before = image.slice();
  for (let plane = 0; plane < image.length; plane += TO * TO) {
    for (let row = 0; row < TO; row += 1) {
      const above = row === 0 ? 0 : -TO;
      const below = row === TO - 1 ? 0 : TO;
      for (let column = 0; column < TO; column += 1) {
        const at = plane + row * TO + column;
        const left = column === 0 ? at : at - 1;
        const right = column === TO - 1 ? at : at + 1;
        image[at] = combine(
          before[at] as number,
          before[left] as number,
          before[right] as number,
          before[at + above] as number,
          before[at + below] as number,
        );
      }
    }
  }
}
