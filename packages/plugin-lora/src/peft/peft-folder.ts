import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  checkBytes,
  checkHeader,
  MANIFEST_FILE,
  openSafetensors,
  parseManifest,
  proofOf,
  ThawError,
  writeManifest,
  writeSafetensors,
  type Manifest,
} from "@thaw/core";
import { folderExists, folderUnwritable } from "../errors.js";

export const PEFT_CONFIG = "adapter_config.json";
export const PEFT_WEIGHTS = "adapter_model.safetensors";

/** A PEFT folder without its values: what planning needs. */
export interface PeftHeader {
  readonly config: unknown;
  /** Shape by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** A tensor to be written. */
export interface PeftValue {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: () => Promise<Float32Array>;
}

/**
 * Reads config and header, at once, as planning is synchronous; the config of a folder that Thaw wrote is compared with
 * its manifest. Otherwise: in one sentence, why not. The weights are validated whole when values are read.
 */
export function readPeftHeader(folder: string): PeftHeader | string {
  try {
    const bytes = readFileSync(join(folder, PEFT_CONFIG));
    const manifest = readManifest(folder);
    if (manifest !== undefined) checkBytes(join(folder, PEFT_CONFIG), bytes, manifest);
    const config: unknown = JSON.parse(bytes.toString("utf8"));
    return { config, shapes: readShapes(join(folder, PEFT_WEIGHTS), manifest) };
  } catch (error) {
    return `${(error as Error).message.replace(/\.$/, "")}.`;
  }
}

/** One tensor, float32. @throws THAW_SAFETENSORS_* */
export async function readPeftValues(folder: string, name: string): Promise<Float32Array> {
  const reader = await openSafetensors(join(folder, PEFT_WEIGHTS));
  try {
    return await reader.readFloat32(name);
  } finally {
    await reader.close();
  }
}

/**
 * Writes a folder whole or not at all, with a manifest that proves it. @throws THAW_SAFETENSORS_NOT_FINITE,
 * THAW_LORA_FOLDER_EXISTS, THAW_LORA_FOLDER_UNWRITABLE
 */
export async function writePeftFolder(folder: string, config: unknown, tensors: readonly PeftValue[]): Promise<void> {
  if (await exists(folder)) throw folderExists(folder);
  const temporary = `${folder}.${process.pid}.tmp`;
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  try {
    await mkdir(dirname(folder), { recursive: true });
    await mkdir(temporary);
    const weights = await writeSafetensors(
      join(temporary, PEFT_WEIGHTS),
      tensors.map(({ name, shape }) => ({ name, shape, dtype: "F32" as const })),
      (name) => byName.get(name)!.values(),
    );
    const bytes = Buffer.from(`${JSON.stringify(config, null, 2)}\n`);
    await writeFile(join(temporary, PEFT_CONFIG), bytes);
    await writeManifest(temporary, { [PEFT_WEIGHTS]: weights, [PEFT_CONFIG]: proofOf(bytes) });
    await rename(temporary, folder);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw cause instanceof ThawError && !cause.code.startsWith("THAW_SAFETENSORS_UNWRITABLE")
      ? cause
      : folderUnwritable(folder, cause);
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, MANIFEST_FILE);
  return existsSync(path) ? parseManifest(path, readFileSync(path)) : undefined;
}

/** Names and shapes from the header of a safetensors file: an 8-byte length, then JSON. */
function readShapes(path: string, manifest: Manifest | undefined): ReadonlyMap<string, readonly number[]> {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const length = size < 8 ? Infinity : Number(readBytes(file, 8, 0).readBigUInt64LE());
    const bytes = readBytes(file, Math.min(size, 8 + length), 0);
    const proof = manifest?.get(PEFT_WEIGHTS);
    if (proof !== undefined) checkHeader(path, bytes, size, proof);
    if (length > size - 8) throw new Error(`${path} is not a safetensors file, or is cut off`);
    const header = JSON.parse(bytes.toString("utf8", 8)) as Record<string, { readonly shape?: readonly number[] }>;
    return new Map(
      Object.entries(header)
        .filter(([name]) => name !== "__metadata__")
        .map(([name, { shape }]) => [name, shape ?? []]),
    );
  } finally {
    closeSync(file);
  }
}

function readBytes(file: number, length: number, position: number): Buffer {
  const bytes = Buffer.alloc(length);
  const read = readSync(file, bytes, 0, length, position);
  if (read < length) throw new Error("the file of weights is cut off");
  return bytes;
}
