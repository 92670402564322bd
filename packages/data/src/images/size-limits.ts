import type { ImageSize } from "./processor.js";

/** Largest file of one image that is read. */
export const MAX_IMAGE_BYTES = 512 * 2 ** 20;

/** Most pixels of an image, 384 MB as RGB: above the largest cameras, below what fills a memory. */
export const MAX_IMAGE_PIXELS = 2 ** 27;

/** @throws Error that says the size, before a pixel is decoded */
export function judgeSize({ width, height }: ImageSize): void {
  if (width * height > MAX_IMAGE_PIXELS)
    throw new Error(`it has ${width} x ${height} pixels, and at most ${MAX_IMAGE_PIXELS} are decoded: make it smaller`);
}

/** What is said of an SVG beyond 2^31 the library takes for 1. @throws Error for such a width or height */
export function judgeDrawing(bytes: Uint8Array): void {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 65_536)).toString("latin1");
  const tag = /<svg\b[^>]*>/i.exec(head)?.[0] ?? "";
  for (const [, side, length] of tag.matchAll(/(?<![\w-])(width|height)\s*=\s*["']\s*([\d.e+]+)/gi))
    if (Number(length) > MAX_IMAGE_PIXELS) throw new Error(`its ${side} is ${length}: make it smaller`);
}

/** @throws Error for an image that grows beyond all bounds because it is so narrow */
export function judgeResult(from: ImageSize, to: ImageSize): void {
  if (to.width * to.height > MAX_IMAGE_PIXELS)
    throw new Error(
      `its ${from.width} x ${from.height} pixels would become ${to.width} x ${to.height}, and at most ` +
        `${MAX_IMAGE_PIXELS} are computed: it is too narrow`,
    );
}
