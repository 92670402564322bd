import { copyFile, open, symlink, truncate } from "node:fs/promises";
import { join } from "node:path";
import { resolveUrl, written } from "./download.js";
import { answerWrong } from "./errors.js";
import { isHere } from "./layout.js";
import type { RemoteFile } from "./listing.js";
import { foldersOf } from "./repository.js";
import { hubFetch, PATIENT } from "./request.js";
import { isWeights } from "./selection.js";
import { fetchFiles, type Found, type HubContext } from "./snapshot.js";

/** Most headers are shorter; one that is longer takes a second request. */
const FIRST_BYTES = 2 ** 17;
/** Upper limit of a header, as in safetensors' reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Makes a folder of a model in `folder` that is enough to plan with: its small files, and of weights that are not in
 * the cache their headers alone, at the head of files that have the right length and hold nothing else (sparse, where
 * the file system can). The caller deletes it. `@throws THAW_HUB_*`
 */
export async function writeHeaders(found: Found, folder: string, context: HubContext): Promise<void> {
  const { name, commit, files } = found;
  const folders = foldersOf(name, context.settings);
  const small = files.filter(({ path }) => !isWeights(path));
  await fetchFiles(name, commit, small, context);
  for (const file of files) {
    const cached = join(folders.snapshots, commit, file.path);
    const place = join(folder, file.path);
    if (!isWeights(file.path)) await written(place, copyFile(cached, place));
    else if (await isHere(folders, commit, file)) await written(place, symlink(cached, place));
    else await writeHeader(file, place, found, context);
  }
}

async function writeHeader(
  file: RemoteFile,
  place: string,
  { name, commit }: Found,
  { settings, patience = PATIENT }: HubContext,
): Promise<void> {
  const request = hubFetch(settings, name, patience);
  const url = resolveUrl(file.path, { repository: name, commit, settings });
  const ranged = (first: number, end: number): Promise<Buffer> => bytesOf(url, first, end, request);
  let bytes = await ranged(0, Math.min(FIRST_BYTES, file.bytes));
  const length = bytes.length < 8 ? 0 : Number(bytes.readBigUInt64LE());
  // What is no header is told by the reader of what comes out
  const end = Math.min(8 + (length <= MAX_HEADER_BYTES ? length : 0), file.bytes);
  if (end > bytes.length) bytes = Buffer.concat([bytes, await ranged(bytes.length, end)]);
  const target = await written(place, open(place, "wx"));
  try {
    await written(place, target.write(bytes.subarray(0, Math.max(8, end))));
  } finally {
    await target.close();
  }
  await written(place, truncate(place, file.bytes));
}

/** The bytes `first <= byte < end` of an address, also from a server that sends more. */
async function bytesOf(url: string, first: number, end: number, request: typeof fetch): Promise<Buffer> {
  const response = await request(url, {
    headers: { "accept-encoding": "identity", range: `bytes=${first}-${end - 1}` },
  });
  const skipped = response.status === 206 ? 0 : first;
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  while (reader !== undefined && length < skipped + end - first) {
    const { value } = await reader.read();
    if (value === undefined) break;
    parts.push(value);
    length += value.length;
  }
  await reader?.cancel();
  const bytes = Buffer.concat(parts).subarray(skipped, skipped + end - first);
  if (bytes.length < end - first) throw answerWrong(url, `it sends ${bytes.length} of ${end - first} bytes`);
  return bytes;
}
