import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { type Concept, conceptsOf, type IconSet } from "./concepts.js";

/** Pictures of a set as bytes, rasterised once. */
export interface Rasters {
  readonly names: readonly string[];
  readonly size: number;
  /** RGBA, not premultiplied, `[pictures, size, size, 4]`; shared, so that worker threads read it without a copy. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

/**
 * Reads the rasters of an Iconify set from `cacheFile`, or makes them from the npm package and writes them there. The
 * file is a line of JSON (`{ names, size }`) and the bytes.
 */
export async function loadRasters(options: {
  readonly set: string;
  readonly size: number;
  readonly cacheFile: string;
}): Promise<Rasters> {
  const known = existsSync(options.cacheFile) ? await readRasters(options.cacheFile) : undefined;
  if (known !== undefined && known.size === options.size) return known;
  const icons = createRequire(import.meta.url)(`@iconify-json/${options.set}/icons.json`) as IconSet;
  const rasters = await rasterise(conceptsOf(icons), options.size);
  await mkdir(dirname(options.cacheFile), { recursive: true });
  const head = JSON.stringify({ names: rasters.names, size: rasters.size });
  await writeFile(`${options.cacheFile}.part`, Buffer.concat([Buffer.from(`${head}\n`), Buffer.from(rasters.bytes)]));
  await rename(`${options.cacheFile}.part`, options.cacheFile);
  return rasters;
}

async function readRasters(file: string): Promise<Rasters> {
  const content = await readFile(file);
  const end = content.indexOf("\n");
  const { names, size } = JSON.parse(content.toString("utf8", 0, end)) as { names: string[]; size: number };
  const bytes = new Uint8Array(new SharedArrayBuffer(names.length * size * size * 4));
  bytes.set(content.subarray(end + 1));
  return { names, size, bytes };
}

async function rasterise(concepts: readonly Concept[], size: number): Promise<Rasters> {
  const { default: sharp } = await import("sharp");
  const bytes = new Uint8Array(new SharedArrayBuffer(concepts.length * size * size * 4));
  for (const [index, concept] of concepts.entries()) {
    const picture = await sharp(Buffer.from(concept.svg), { density: 288 })
      .resize(size, size, { fit: "contain", background: { r: 0, g: 0, b: 0, alpha: 0 } })
      .ensureAlpha()
      .raw()
      .toBuffer();
    bytes.set(picture, index * size * size * 4);
  }
  return { names: concepts.map(({ name }) => name), size, bytes };
}

/** The bytes of one picture, `[size, size, 4]`; a view. */
export function rasterOf(rasters: Pick<Rasters, "size" | "bytes">, index: number): Uint8Array {
  const length = rasters.size * rasters.size * 4;
  return rasters.bytes.subarray(index * length, (index + 1) * length);
}
