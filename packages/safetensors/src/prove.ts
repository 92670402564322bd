import { createHash } from "node:crypto";
import { join } from "node:path";
import { damaged } from "./errors.js";
import { openFile } from "./file.js";
import { MANIFEST_FILE, proveFile, readManifest } from "./manifest.js";
import type { FileProof } from "./proof.js";

/** Bytes of a tensor that are read and hashed at a time. */
const STRETCH = 2 ** 23;

/**
 * Compares every file of a folder with its manifest, tensors in stretches of 8 MB. @throws THAW_SAFETENSORS_DAMAGED
 * with the first that differs, also where there is no manifest
 */
export async function proveFolder(folder: string): Promise<void> {
  const manifest = await readManifest(folder);
  if (manifest === undefined) throw damaged(join(folder, MANIFEST_FILE), "it is missing");
  for (const [name, proof] of manifest) {
    const path = join(folder, name);
    if (proof.tensors === undefined) await proveFile(path, manifest);
    else await proveTensors(path, proof);
  }
}

async function proveTensors(path: string, proof: FileProof): Promise<void> {
  const file = await openFile(path, proof);
  try {
    for (const { name, begin, end } of file.entries) {
      const hash = createHash("sha256");
      for (let position = begin; position < end; position += STRETCH) {
        const bytes = new Uint8Array(Math.min(STRETCH, end - position));
        await file.read(bytes, position);
        hash.update(bytes);
      }
      if (hash.digest("hex") !== proof.tensors![name])
        throw damaged(path, `the values of its tensor ${name} are not those that were written`);
    }
  } finally {
    await file.close();
  }
}
