import { parseJson } from "@thaw/contracts";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { damaged } from "./errors.js";
import { sha256, type FileProof } from "./proof.js";
import { writeAtomically } from "./writer.js";

/**
 * Name of the file that proves the others of a folder. A safetensors file whose metadata has {@link MANIFEST_KEY} is
 * not read without it.
 */
export const MANIFEST_FILE = "thaw-manifest.json";
/** Key of a safetensors file's metadata: the file is not whole without the manifest that the value names. */
export const MANIFEST_KEY = "manifest";

/** Proofs by file name. */
export type Manifest = ReadonlyMap<string, FileProof>;

const VERSION = 1;
/** Bytes that are read and hashed at a time. */
const STRETCH = 2 ** 23;
const OTHER_BYTES = "its bytes are not those that were written";

/** Writes the manifest of a folder, after the files that it proves. @throws THAW_SAFETENSORS_UNWRITABLE */
export async function writeManifest(folder: string, proofs: Readonly<Record<string, FileProof>>): Promise<void> {
  const text = `${JSON.stringify({ version: VERSION, files: proofs, sha256: hashOfFiles(proofs) })}\n`;
  await writeAtomically(join(folder, MANIFEST_FILE), async (handle) => {
    await handle.writeFile(text);
  });
}

/** The manifest of a folder; undefined where it has none. @throws THAW_SAFETENSORS_DAMAGED */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const path = join(folder, MANIFEST_FILE);
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
    throw damaged(path, "it cannot be read", cause);
  });
  if (bytes === undefined) return undefined;
  return parseManifest(path, bytes);
}

/** What the bytes of a manifest say. @throws THAW_SAFETENSORS_DAMAGED */
export function parseManifest(path: string, bytes: Buffer): Manifest {
  let parsed: unknown;
  try {
    parsed = parseJson(bytes.toString("utf8"));
  } catch (cause) {
    throw damaged(path, "it is not JSON", cause);
  }
  const { version, files, sha256: own } = isRecord(parsed) ? parsed : {};
  if (version !== VERSION) throw damaged(path, `it does not say that its version is ${VERSION}`);
  if (!isRecord(files) || hashOfFiles(files) !== own)
    throw damaged(path, "its own sum differs from what it says of the files");
  for (const [name, proof] of Object.entries(files))
    if (name !== basename(name) || name === ".." || !isProof(proof))
      throw damaged(path, "what it says of a file is not a name, a size and sums");
  return new Map(Object.entries(files as Record<string, FileProof>));
}

/**
 * Compares a file that is not of tensors with its proof, in stretches of 8 MB. @throws THAW_SAFETENSORS_DAMAGED, also
 * where the file is not there
 */
export async function proveFile(path: string, manifest: Manifest): Promise<void> {
  const proof = proofIn(path, manifest);
  const status = await stat(path).catch((cause: unknown) => {
    throw damaged(path, "it is missing", cause);
  });
  if (!status.isFile()) throw damaged(path, "it is not a file");
  checkSize(path, proof, status.size);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: STRETCH, end: Math.max(0, proof.bytes - 1) }))
    hash.update(chunk as Buffer);
  if (hash.digest("hex") !== proof.sha256) throw damaged(path, OTHER_BYTES);
}

/** Bytes of a file that is small and proven. @throws THAW_SAFETENSORS_DAMAGED, also where the file is not there */
export async function readProven(path: string, manifest: Manifest): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw damaged(path, "it cannot be read", cause);
  });
  checkBytes(path, bytes, manifest);
  return bytes;
}

/** Compares a file's bytes, which were read already, with its proof. @throws THAW_SAFETENSORS_DAMAGED */
export function checkBytes(path: string, bytes: Uint8Array, manifest: Manifest): void {
  const proof = proofIn(path, manifest);
  checkSize(path, proof, bytes.length);
  if (sha256(bytes) !== proof.sha256) throw damaged(path, OTHER_BYTES);
}

/**
 * Compares a safetensors file's length and its header, from the first byte to the first tensor, with its proof. @throws
 * THAW_SAFETENSORS_DAMAGED
 */
export function checkHeader(path: string, header: Uint8Array, bytes: number, proof: FileProof): void {
  checkSize(path, proof, bytes);
  if (sha256(header) !== proof.sha256)
    throw damaged(path, "its header, with names and shapes, is not the one that was written");
}

function proofIn(path: string, manifest: Manifest): FileProof {
  const proof = manifest.get(basename(path));
  if (proof === undefined) throw damaged(path, `${MANIFEST_FILE} does not know it`);
  return proof;
}

/** The proof of a file by the manifest beside it; undefined where there is none. @throws THAW_SAFETENSORS_DAMAGED */
export async function proofBeside(path: string): Promise<FileProof | undefined> {
  return (await readManifest(dirname(path)))?.get(basename(path));
}

function checkSize(path: string, proof: FileProof, bytes: number): void {
  if (bytes !== proof.bytes) throw damaged(path, `it has ${bytes} bytes, and ${proof.bytes} were written`);
}

function isProof(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { bytes, sha256: sum, tensors } = value;
  return Number.isSafeInteger(bytes) && typeof sum === "string" && (tensors === undefined || isRecord(tensors));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hashOfFiles(files: unknown): string {
  return createHash("sha256").update(JSON.stringify(files)).digest("hex");
}
