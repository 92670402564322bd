import { randomUUID } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { elementCount, ThawError } from "@thaw/contracts";
import { float32ToBfloat16 } from "./convert.js";
import { ELEMENT_BYTES, type SafetensorsDtype } from "./dtype.js";
import { badValues, notFinite, unwritable } from "./errors.js";
import { firstNotFinite, firstNotFiniteBfloat16 } from "./finite.js";
import { sha256, type FileProof } from "./proof.js";

/** A tensor to be written. */
export interface TensorDeclaration {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/**
 * Values of a tensor: float32 for F32 and BF16 (rounded to nearest even), else the typed array of the dtype or its
 * bytes.
 */
export type TensorValues = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array;

/**
 * Writes a safetensors file, one tensor in memory at a time: into a temporary file beside it, synchronised, then
 * renamed, so that `path` holds the old file or the whole new one. The header is padded with spaces to 8 bytes, as
 * readers that map it want. Returns what proves the file, made while it was written.
 * @throws THAW_SAFETENSORS_BAD_VALUES, THAW_SAFETENSORS_UNWRITABLE, THAW_SAFETENSORS_NOT_FINITE where float32 values
 * are given of which one is infinite or not a number, or becomes so as bfloat16; errors of `values` pass through.
 * Nothing is left behind.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorDeclaration[],
  values: (name: string) => Promise<TensorValues> | TensorValues,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Promise<FileProof> {
  const header = encodeHeader(path, tensors, metadata);
  const hashes: [string, string][] = [];
  let bytes = header.length;
  await writeAtomically(path, async (handle) => {
    await writeAll(handle, header);
    for (const tensor of tensors) {
      const encoded = encodeValues(path, tensor, await values(tensor.name));
      hashes.push([tensor.name, sha256(encoded)]);
      bytes += encoded.length;
      await writeAll(handle, encoded);
    }
  });
  return { bytes, sha256: sha256(header), tensors: Object.fromEntries(hashes) };
}

/**
 * Writes a file by way of a temporary one beside it, synchronised, then renamed. @throws THAW_SAFETENSORS_UNWRITABLE
 */
export async function writeAtomically(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const handle = await open(temporary, "wx");
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true });
    if (cause instanceof ThawError || !isSystemError(cause)) throw cause;
    throw unwritable(path, cause);
  }
}

/** Makes a rename durable; not every file system lets a folder be synchronised. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function encodeHeader(
  path: string,
  tensors: readonly TensorDeclaration[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries = new Map<string, unknown>([["__metadata__", metadata]]);
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    if (entries.has(name)) throw badValues(name, "The name is given twice or is reserved.", path);
    const end = offset + elementCount(shape) * ELEMENT_BYTES[dtype];
    entries.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function encodeValues(path: string, tensor: TensorDeclaration, values: TensorValues): Uint8Array {
  const encoded = tensor.dtype === "BF16" && values instanceof Float32Array ? float32ToBfloat16(values) : values;
  const isFloatTarget = tensor.dtype === "F32" || tensor.dtype === "BF16";
  if (values instanceof Float32Array && !isFloatTarget)
    throw badValues(tensor.name, `Float32 values were given for dtype ${tensor.dtype}.`, path);
  const wanted = elementCount(tensor.shape) * ELEMENT_BYTES[tensor.dtype];
  if (encoded.byteLength !== wanted) {
    throw badValues(
      tensor.name,
      `${encoded.byteLength} bytes were given; dtype ${tensor.dtype} and shape [${tensor.shape.join(", ")}] need ` +
        `${wanted}.`,
      path,
    );
  }
  if (values instanceof Float32Array) checkFinite(path, tensor, values, encoded);
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
}

/** A finite value can round to an infinite one in bfloat16. */
function checkFinite(path: string, { name }: TensorDeclaration, values: Float32Array, encoded: TensorValues): void {
  const index = encoded instanceof Uint16Array ? firstNotFiniteBfloat16(encoded) : firstNotFinite(values);
  if (index >= 0) throw notFinite(name, index, values[index]!, path);
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  const limit = 2 ** 30;
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(limit, bytes.length - done));
    done += bytesWritten;
  }
}
