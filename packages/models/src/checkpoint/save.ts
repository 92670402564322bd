import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { causeText, elementCount, fileInFolder, ThawError, type StoredTensor, makeFolders } from "@thaw/contracts";
import {
  INDEX_FILE,
  MANIFEST_FILE,
  proofOf,
  SINGLE_FILE,
  writeManifest,
  writeSafetensors,
  type FileProof,
} from "@thaw/safetensors";
import { folderTaken, folderUnreadable, folderUnwritable, wrongValueCount } from "../errors.js";

/** How to save. */
export interface SaveOptions {
  /** Default `F32`. BF16 rounds to nearest even. */
  readonly dtype?: "F32" | "BF16";
  /** Replace a model that the folder holds already. */
  readonly overwrite?: boolean;
}

/** Files beside config.json and the weights that make a Hugging Face checkpoint; those that exist are copied. */
const COMPANIONS = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "tokenizer.model",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
  "preprocessor_config.json",
  "processor_config.json",
  "video_preprocessor_config.json",
];

/**
 * Writes a complete checkpoint folder with a manifest that proves its files. All is written beside the target first and
 * moved there at the end, weights and manifest last: a failure leaves nothing, and no reader sees half a model.
 * @throws THAW_CHECKPOINT_EXISTS, THAW_CHECKPOINT_VALUES, THAW_CHECKPOINT_UNWRITABLE, THAW_SAFETENSORS_NOT_FINITE
 */
export async function saveModel(
  source: string,
  folder: string,
  tensors: readonly StoredTensor[],
  values: (name: string) => Promise<Float32Array>,
  options: SaveOptions = {},
): Promise<void> {
  const target = resolve(folder);
  if (options.overwrite !== true) await refuseTaken(target);
  let holder: string | undefined;
  try {
    await makeFolders(dirname(target));
    holder = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
    // A folder of the user's usual mode: the holder is readable by its owner alone
    const staging = join(holder, "model");
    await mkdir(staging);
    await writeModel(source, staging, tensors, values, options.dtype ?? "F32");
    await moveInto(staging, target);
  } catch (cause) {
    if (cause instanceof ThawError && cause.code !== "THAW_SAFETENSORS_UNWRITABLE") throw cause;
    if (cause instanceof ThawError || (cause instanceof Error && "syscall" in cause))
      throw folderUnwritable(target, cause);
    throw cause;
  } finally {
    if (holder !== undefined) await rm(holder, { recursive: true, force: true });
  }
}

async function refuseTaken(target: string): Promise<void> {
  for (const file of [SINGLE_FILE, INDEX_FILE, "config.json"])
    if (await exists(join(target, file))) throw folderTaken(target, file);
}

async function writeModel(
  source: string,
  staging: string,
  tensors: readonly StoredTensor[],
  values: (name: string) => Promise<Float32Array>,
  dtype: "F32" | "BF16",
): Promise<void> {
  const proofs: Record<string, FileProof> = {};
  for (const file of COMPANIONS) {
    if (!(await exists(join(source, file)))) continue;
    await copyFile(await companion(source, file), join(staging, file));
    proofs[file] = proofOf(await readFile(join(staging, file)));
  }
  await writeConfig(source, staging, dtype);
  proofs["config.json"] = proofOf(await readFile(join(staging, "config.json")));
  const counts = new Map(tensors.map(({ name, shape }) => [name, elementCount(shape)]));
  proofs[SINGLE_FILE] = await writeSafetensors(
    join(staging, SINGLE_FILE),
    tensors.map(({ name, shape }) => ({ name, shape, dtype })),
    async (name) => {
      const given = await values(name);
      if (given.length !== counts.get(name)) throw wrongValueCount(name, given.length, counts.get(name)!);
      return given;
    },
  );
  await writeManifest(staging, proofs);
}

/** What is copied is part of the folder: an export never carries along what a link in it points to. */
function companion(source: string, file: string): Promise<string> {
  return fileInFolder(source, file).catch((cause: unknown) => {
    throw folderUnreadable(source, new Error(`${file}: ${causeText(cause)}`));
  });
}

/**
 * config.json with the dtype that the weights have now. Edited as text: transformers 5 wants `1.0` where the file has
 * it, and JavaScript would write `1`.
 */
async function writeConfig(source: string, staging: string, dtype: "F32" | "BF16"): Promise<void> {
  const text = await readFile(join(source, "config.json"), "utf8");
  const word = dtype === "BF16" ? "bfloat16" : "float32";
  const edited = text.replace(/("(?:torch_)?dtype"\s*:\s*)"[a-z0-9]+"/g, `$1"${word}"`);
  const hasDtype = /"(?:torch_)?dtype"\s*:/.test(text);
  await writeFile(
    join(staging, "config.json"),
    withoutQuantization(hasDtype ? edited : text.replace("{", `{\n  "torch_dtype": "${word}",`)),
  );
}

/** What is saved is the numbers that quantised weights stood for. */
function withoutQuantization(text: string): string {
  const found = /,?\s*"quantization_config"\s*:\s*\{/u.exec(text);
  if (found === null) return text;
  let depth = 1;
  let end = found.index + found[0].length;
  for (let isQuoted = false; depth > 0; end++) {
    const character = text[end];
    if (isQuoted && character === "\\") end++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && character === "{") depth++;
    else if (!isQuoted && character === "}") depth--;
  }
  const isFirst = !found[0].startsWith(",");
  const rest = text.slice(end);
  return withoutQuantization(text.slice(0, found.index) + (isFirst ? rest.replace(/^\s*,/u, "") : rest));
}

async function moveInto(staging: string, target: string): Promise<void> {
  if (!(await exists(target))) {
    await rename(staging, target);
    return;
  }
  for (const file of [...COMPANIONS, "config.json", SINGLE_FILE, MANIFEST_FILE])
    if (await exists(join(staging, file))) await rename(join(staging, file), join(target, file));
  await rm(join(target, INDEX_FILE), { force: true });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
