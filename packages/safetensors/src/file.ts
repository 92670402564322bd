import { open, type FileHandle } from "node:fs/promises";
import { malformed, unreadable } from "./errors.js";
import { checkHeaderLength, parseHeader, type Header } from "./header.js";

/** Largest single read; Node's own limit is 2 GiB. */
const MAX_READ_BYTES = 2 ** 30;

/** One open safetensors file. */
export interface SafetensorsFile extends Header {
  readonly path: string;
  /** Fills `target` from the byte `position` of the file. @throws THAW_SAFETENSORS_UNREADABLE */
  read(target: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens one file and validates its header; no tensor is read. @throws THAW_SAFETENSORS_UNREADABLE,
 * THAW_SAFETENSORS_MALFORMED
 */
export async function openFile(path: string): Promise<SafetensorsFile> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const header = await readHeader(handle, path);
    return {
      ...header,
      path,
      read: (target, position) => readFully(handle, path, target, position),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readHeader(handle: FileHandle, path: string): Promise<Header> {
  const { size } = await handle.stat();
  if (size < 8)
    throw malformed(
      path,
      "too-short",
      `The file has ${size} bytes; the length field alone has 8.`,
      "The file is cut off: download or write it again.",
    );
  const lengthField = new Uint8Array(8);
  await readFully(handle, path, lengthField, 0);
  const length = checkHeaderLength(path, new DataView(lengthField.buffer).getBigUint64(0, true), size);
  const bytes = new Uint8Array(length);
  await readFully(handle, path, bytes, 8);
  return parseHeader(path, decodeUtf8(bytes, path), size, 8 + length);
}

function decodeUtf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed(path, "header-not-utf8", "The header is no UTF-8 text.", "This is likely not a safetensors file.");
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
