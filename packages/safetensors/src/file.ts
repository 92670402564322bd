import type { FileHandle } from "node:fs/promises";
import { openPlainFile } from "@thaw/contracts";
import { dirname, join } from "node:path";
import { damaged, malformed, unreadable } from "./errors.js";
import { checkHeaderLength, parseHeader, type Header } from "./header.js";
import { checkHeader, MANIFEST_FILE, MANIFEST_KEY } from "./manifest.js";
import type { FileProof } from "./proof.js";

/** Largest single read; Node's own limit is 2 GiB. */
const MAX_READ_BYTES = 2 ** 30;

/** One open safetensors file. */
export interface SafetensorsFile extends Header {
  readonly path: string;
  /** What its tensors are compared with when they are read whole. */
  readonly proof: FileProof | undefined;
  /** Fills `target` from the byte `position` of the file. @throws THAW_SAFETENSORS_UNREADABLE */
  read(target: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens one file and validates its header, also by its proof; no tensor is read. @throws THAW_SAFETENSORS_UNREADABLE,
 * THAW_SAFETENSORS_MALFORMED, THAW_SAFETENSORS_DAMAGED
 */
export async function openFile(path: string, proof?: FileProof): Promise<SafetensorsFile> {
  const handle = await openPlainFile(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const header = await readHeader(handle, path, proof);
    if (proof === undefined && header.metadata[MANIFEST_KEY] !== undefined)
      throw damaged(join(dirname(path), MANIFEST_FILE), `it is missing, or does not know ${path}, which needs it`);
    if (proof !== undefined) checkNames(path, header, proof);
    return {
      ...header,
      path,
      proof,
      read: (target, position) => readFully(handle, path, target, position),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function checkNames(path: string, { entries }: Header, { tensors = {} }: FileProof): void {
  const missing = entries.find(({ name }) => !Object.hasOwn(tensors, name));
  if (missing !== undefined) throw damaged(path, `${MANIFEST_FILE} does not know its tensor ${missing.name}`);
}

async function readHeader(handle: FileHandle, path: string, proof: FileProof | undefined): Promise<Header> {
  const { size } = await handle.stat();
  if (proof !== undefined && size < 8) checkHeader(path, new Uint8Array(0), size, proof);
  if (size < 8)
    throw malformed(
      path,
      "too-short",
      `The file has ${size} bytes; the length field alone has 8.`,
      "The file is cut off: download or write it again.",
    );
  const lengthField = new Uint8Array(8);
  await readFully(handle, path, lengthField, 0);
  const length = headerLength(path, lengthField, size, proof);
  const bytes = new Uint8Array(8 + length);
  await readFully(handle, path, bytes, 0);
  if (proof !== undefined) checkHeader(path, bytes, size, proof);
  return parseHeader(path, decodeUtf8(bytes.subarray(8), path), size, 8 + length);
}

function headerLength(path: string, field: Uint8Array, size: number, proof: FileProof | undefined): number {
  try {
    return checkHeaderLength(path, new DataView(field.buffer).getBigUint64(0, true), size);
  } catch (cause) {
    if (proof !== undefined) checkHeader(path, field, size, proof);
    throw cause;
  }
}

function decodeUtf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed(path, "header-not-utf8", "The header is not UTF-8 text.", "This is likely not a safetensors file.");
  }
}

async function readFully(handle: FileHandle, path: string, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const length = Math.min(target.length - done, MAX_READ_BYTES);
    const { bytesRead } = await handle.read(target, done, length, position + done).catch((cause: unknown) => {
      throw unreadable(path, cause);
    });
    if (bytesRead === 0)
      throw unreadable(path, new Error(`the file ends at byte ${position + done}, sooner than when it was opened`));
    done += bytesRead;
  }
}
