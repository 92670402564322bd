import { float32Bytes } from "@thaw/core";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DATA_ENDING, entriesOf, INDEX_ENDING, sumOf } from "./entries.js";

/** So many writers' files are left alone. */
const MOST_FILES = 64;
/** A file that was written to lately may have a writer still. */
const REST_MS = 3_600_000;
/** Larger files are worth a descriptor, and would take long to copy. */
const MOST_BYTES_OF_ONE = 2 ** 26;
/** Copied at one opening. */
const MOST_BYTES = 2 ** 29;

/**
 * Puts the entries of many small data files, whose writers are done, into one: each run leaves a file, and thousands
 * take seconds to open. An entry whose checksum does not fit is left out. The new files get their names once they are
 * whole, and the old ones go after that: a process that still knows an old file computes its features again. Nothing
 * is thrown: what cannot be merged stays.
 */
export async function mergeFiles(folder: string, writers: readonly string[], name: string): Promise<void> {
  if (writers.length <= MOST_FILES) return;
  const [data, index] = [DATA_ENDING, INDEX_ENDING].map((ending) => join(folder, name + ending)) as [string, string];
  try {
    const chosen = await smallOnes(folder, writers);
    if (chosen.length < MOST_FILES / 2) return;
    await copy(folder, chosen, { data: `${data}.tmp`, index: `${index}.tmp` });
    await rename(`${data}.tmp`, data);
    await rename(`${index}.tmp`, index);
    for (const writer of chosen)
      for (const ending of [INDEX_ENDING, DATA_ENDING]) await rm(join(folder, writer + ending), { force: true });
  } catch {
    for (const path of [`${data}.tmp`, `${index}.tmp`]) await rm(path, { force: true }).catch(() => undefined);
  }
}

/** Smallest first, as many as are copied at once. */
async function smallOnes(folder: string, writers: readonly string[]): Promise<readonly string[]> {
  const before = Date.now() - REST_MS;
  const found: { readonly writer: string; readonly size: number }[] = [];
  for (const writer of writers) {
    const status = await stat(join(folder, writer + DATA_ENDING)).catch(() => undefined);
    if (status !== undefined && status.mtimeMs < before && status.size <= MOST_BYTES_OF_ONE)
      found.push({ writer, size: status.size });
  }
  let total = 0;
  return found
    .toSorted((left, right) => left.size - right.size)
    .filter(({ size }) => (total += size) <= MOST_BYTES)
    .map(({ writer }) => writer);
}

async function copy(
  folder: string,
  writers: readonly string[],
  to: { readonly data: string; readonly index: string },
): Promise<void> {
  const data = await open(to.data, "wx");
  try {
    const lines: string[] = [];
    let offset = 0;
    for (const writer of writers) {
      const bytes = await readFile(join(folder, writer + DATA_ENDING));
      for (const entry of entriesOf(await readFile(join(folder, writer + INDEX_ENDING), "utf8"), bytes.length)) {
        const feature = bytes.subarray(entry.offset, entry.offset + float32Bytes(entry.shape));
        if (sumOf(entry.shape, feature) !== entry.crc) continue;
        await data.appendFile(feature);
        lines.push(`${JSON.stringify({ ...entry, offset })}\n`);
        offset += feature.length;
      }
    }
    const index = await open(to.index, "wx");
    try {
      await index.appendFile(lines.join(""));
    } finally {
      await index.close();
    }
  } finally {
    await data.close();
  }
}
