import { gunzipSync } from "node:zlib";

const BLOCK = 512;

/** Files of a gzipped tarball as npm makes them (ustar, names with a prefix field), by name. */
export function readTarball(tarball: Buffer): Map<string, Buffer> {
  const content = gunzipSync(tarball);
  const files = new Map<string, Buffer>();
  for (let at = 0; at + BLOCK <= content.length;) {
    const text = (start: number, length: number): string =>
      content.toString("utf8", at + start, at + start + length).split("\0", 1)[0] ?? "";
    const name = text(0, 100);
    if (name === "") break;
    const bytes = Number.parseInt(text(124, 12).trim(), 8);
    const type = text(156, 1);
    const prefix = text(345, 155);
    if (type === "0" || type === "")
      files.set(prefix === "" ? name : `${prefix}/${name}`, content.subarray(at + BLOCK, at + BLOCK + bytes));
    at += BLOCK + Math.ceil(bytes / BLOCK) * BLOCK;
  }
  return files;
}
