import { shown, parseJson } from "@thaw/contracts";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { inTwoShards, malformed, notFound, notInShard, shardMissing, unreadable } from "./errors.js";
import { openFile, type SafetensorsFile } from "./file.js";
import { proofBeside, readManifest } from "./manifest.js";
import type { FileProof } from "./proof.js";
import { createReader, type SafetensorsReader } from "./reader.js";

export const SINGLE_FILE = "model.safetensors";
export const INDEX_FILE = "model.safetensors.index.json";

/**
 * Opens a safetensors file, an index of shards, or a folder that holds one of them (`model.safetensors` first).
 * Headers are validated, no tensor is read. Where a manifest lies beside the file, headers are compared with it now,
 * and tensors when they are read whole. The caller closes the reader.
 * @throws THAW_SAFETENSORS_NOT_FOUND, _UNREADABLE, _MALFORMED, _DAMAGED, _SHARD_MISSING, _TWO_SHARDS, _NOT_IN_SHARD
 */
export async function openSafetensors(path: string): Promise<SafetensorsReader> {
  const file = await locate(path);
  return file.endsWith(".json")
    ? openShards(file)
    : createReader(file, [await openFile(file, await proofBeside(file))]);
}

/** True if the folder holds weights that `openSafetensors` would open. */
export async function hasSafetensors(folder: string): Promise<boolean> {
  return (await isFile(join(folder, SINGLE_FILE))) || (await isFile(join(folder, INDEX_FILE)));
}

async function locate(path: string): Promise<string> {
  const status = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  if (!status.isDirectory()) return path;
  for (const name of [SINGLE_FILE, INDEX_FILE]) if (await isFile(join(path, name))) return join(path, name);
  const others = (await readdir(path)).filter((name) => OTHER_WEIGHTS.some((form) => form.test(name)));
  throw notFound(path, [SINGLE_FILE, INDEX_FILE], others.toSorted());
}

/** Files that hold a model's weights in a form that is not read, by the names that their writers give them. */
const OTHER_WEIGHTS = [
  /^(pytorch_|tf_|flax_|adapter_)?model[\w.-]*\.(bin|pt|pth|ckpt|h5|msgpack|safetensors)$/,
  /^consolidated[\w.-]*$/,
  /\.gguf$/,
];

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}

async function openShards(indexFile: string): Promise<SafetensorsReader> {
  const weightMap = await readWeightMap(indexFile);
  const files: SafetensorsFile[] = [];
  const manifest = await readManifest(dirname(indexFile));
  try {
    for (const shard of new Set(weightMap.values()))
      files.push(await openShard(indexFile, shard, manifest?.get(shard)));
    checkShards(indexFile, weightMap, files);
    return createReader(indexFile, files);
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

async function openShard(indexFile: string, shard: string, proof: FileProof | undefined): Promise<SafetensorsFile> {
  const path = join(dirname(indexFile), shard);
  if (!(await isFile(path))) throw shardMissing(indexFile, shard, undefined);
  return openFile(path, proof);
}

async function readWeightMap(indexFile: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(indexFile, "utf8").catch((cause: unknown) => {
    throw unreadable(indexFile, cause);
  });
  const map = new Map<string, string>();
  for (const [name, shard] of Object.entries(parseWeightMap(indexFile, text))) {
    if (typeof shard !== "string" || shard !== basename(shard) || shard === "" || shard === "..") {
      throw malformed(
        indexFile,
        "bad-shard-name",
        `The shard of ${name} is ${shown(shard)}, which is not a file name.`,
        "Name files beside the index.",
        { name },
      );
    }
    map.set(name, shard);
  }
  return map;
}

function parseWeightMap(indexFile: string, text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseJson(text);
  } catch (cause) {
    throw malformed(
      indexFile,
      "index-not-json",
      `The index is not JSON: ${(cause as Error).message}.`,
      "Download the index again.",
    );
  }
  const map = (parsed as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map === "object" && map !== null && !Array.isArray(map)) return map as Record<string, unknown>;
  throw malformed(indexFile, "index-without-map", "The index has no object weight_map.", "Download the index again.");
}

function checkShards(
  indexFile: string,
  weightMap: ReadonlyMap<string, string>,
  files: readonly SafetensorsFile[],
): void {
  const holders = new Map<string, string>();
  for (const { path, entries } of files) {
    for (const { name } of entries) {
      const other = holders.get(name);
      if (other !== undefined) throw inTwoShards(name, other, path);
      holders.set(name, path);
    }
  }
  for (const [name, shard] of weightMap) {
    if (holders.get(name) !== join(dirname(indexFile), shard)) throw notInShard(name, shard, indexFile);
  }
}
