import type { OutputInfo, Sharp } from "sharp";
import type { ImageSize, RgbImage } from "./processor.js";
import { judgeDrawing, judgeSize } from "./size-limits.js";

/** Sizes are judged here, with a message that says them. */
const UNLIMITED = { failOn: "error", limitInputPixels: false } as const;

/** How to decode. */
export interface DecodeOptions {
  /** Turn the image upright by its EXIF tag (`ImageOps.exif_transpose`). */
  readonly exif: boolean;
}

/** sharp is loaded when the first image is: planning and checking need none. */
export async function loadSharp() {
  return (await import("sharp")).default;
}

/**
 * Bytes of PNG, JPEG, WebP, GIF (first frame), TIFF or AVIF as Pillow's `Image.open(...).convert("RGB")` gives them:
 * alpha is dropped without blending, palettes are looked up, colour profiles are ignored, CMYK is converted without a
 * profile, 16-bit grey is clipped at 255 (with alpha, which Pillow opens as 8 bits, its high byte is taken).
 * @throws whatever sharp says of a broken file; callers name the sample
 */
export async function decodeRgb(bytes: Uint8Array, options: DecodeOptions): Promise<RgbImage> {
  const sharp = await loadSharp();
  const open = (): Sharp => {
    const image = sharp(bytes, { failOn: "error", ignoreIcc: true });
    return options.exif ? image.autoOrient() : image;
  };
  const { space, depth, hasAlpha, format, ...size } = await sharp(bytes, UNLIMITED).metadata();
  if (format === "svg") judgeDrawing(bytes);
  judgeSize(size);
  if (space === "grey16" && depth === "ushort" && !hasAlpha)
    return clipGrey16(
      await open().removeAlpha().toColourspace("grey16").raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true }),
    );
  if (space === "cmyk")
    return cmykToRgb(
      await open().pipelineColourspace("cmyk").toColourspace("cmyk").raw().toBuffer({ resolveWithObject: true }),
    );
  const { data, info } = await open().toColourspace("srgb").removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    data: info.channels === 1 ? repeatChannel(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function repeatChannel(grey: Uint8Array): Uint8Array {
  const data = new Uint8Array(grey.length * 3);
  grey.forEach((value, pixel) => data.fill(value, pixel * 3, pixel * 3 + 3));
  return data;
}

function clipGrey16({ data, info }: { readonly data: Buffer; readonly info: OutputInfo }): RgbImage {
  const grey = new Uint8Array(info.width * info.height);
  for (let pixel = 0; pixel < grey.length; pixel += 1) grey[pixel] = Math.min(255, data.readUInt16LE(pixel * 2));
  return { width: info.width, height: info.height, data: repeatChannel(grey) };
}

/** Pillow's `cmyk2rgb` (`src/libImaging/Convert.c`): multiplication by 255 - k with rounding. */
function cmykToRgb({ data, info }: { readonly data: Uint8Array; readonly info: OutputInfo }): RgbImage {
  const output = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel += 1) {
    const light = 255 - (data[pixel * info.channels + 3] as number);
    for (let channel = 0; channel < 3; channel += 1) {
      const product = (data[pixel * info.channels + channel] as number) * light + 128;
      output[pixel * 3 + channel] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
  return { width: info.width, height: info.height, data: output };
}

/** Size from the header of an image (its bytes, or the path of a file), turned as `decodeRgb` turns it. */
export async function readImageSize(image: Uint8Array | string, options: DecodeOptions): Promise<ImageSize> {
  const { width, height, autoOrient } = await (await loadSharp())(image, UNLIMITED).metadata();
  judgeSize({ width, height });
  return options.exif ? { width: autoOrient.width, height: autoOrient.height } : { width, height };
}

/**
 * Draws an SVG into a box of `size` pixels, centred and as large as fits (`preserveAspectRatio`), over a plain
 * background (`#rrggbb`). The SVG must carry a `viewBox`; its own width and height are replaced.
 */
export async function rasterizeSvg(svg: string, size: ImageSize, background: string): Promise<RgbImage> {
  const opening = /<svg\b[^>]*>/.exec(svg)?.[0];
  if (opening === undefined) throw new Error("it holds no <svg> element");
  const sized = opening
    .replace(/\s(width|height)="[^"]*"/g, "")
    .replace(/^<svg/, `<svg width="${size.width}" height="${size.height}"`);
  const sharp = await loadSharp();
  const { data, info } = await sharp(Buffer.from(svg.replace(opening, () => sized)))
    .flatten({ background })
    .toColourspace("srgb")
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** PNG bytes of pixels, for reports. */
export async function encodePng(image: RgbImage): Promise<Buffer> {
  const sharp = await loadSharp();
  return sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
    .png()
    .toBuffer();
}
