import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  causeText,
  checkBytes,
  makeFolders,
  MANIFEST_FILE,
  openSafetensors,
  parseManifest,
  proofOf,
  ThawError,
  writeManifest,
  writeSafetensors,
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
 * Reads config and header; those of a folder that Thaw wrote are compared with its manifest. Otherwise: in one
 * sentence, why not. The weights are validated whole when values are read.
 */
export async function readPeftHeader(folder: string): Promise<PeftHeader | string> {
  try {
    const bytes = await readFile(join(folder, PEFT_CONFIG));
    const manifest = join(folder, MANIFEST_FILE);
    if (await exists(manifest))
      checkBytes(join(folder, PEFT_CONFIG), bytes, parseManifest(manifest, await readFile(manifest)));
    const config: unknown = JSON.parse(bytes.toString("utf8"));
    const reader = await openSafetensors(join(folder, PEFT_WEIGHTS));
    await reader.close();
    return { config, shapes: new Map([...reader.entries].map(([name, { shape }]) => [name, shape])) };
  } catch (error) {
    return error instanceof ThawError ? error.message : `${causeText(error)}.`;
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
    await makeFolders(dirname(folder));
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
