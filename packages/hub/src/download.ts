import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { cacheUnwritable, unreachable, wrongBytes } from "./errors.js";
import type { RemoteFile } from "./listing.js";
import { pageOf, type Repository } from "./repository.js";
import { networkCause, type Patience } from "./request.js";
import type { HubSettings } from "./settings.js";

/** What is fetched, from where and how. */
export interface Download {
  readonly repository: Repository;
  readonly commit: string;
  readonly settings: HubSettings;
  readonly request: typeof fetch;
  readonly patience: Patience;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Bytes that came, also those that an earlier try left; negative where they were thrown away. */
  readonly onBytes: (bytes: number) => void;
}

/** The address of a file's content at a commit. */
export function resolveUrl(
  path: string,
  { repository, commit, settings }: Pick<Download, "repository" | "commit" | "settings">,
): string {
  const file = path.split("/").map(encodeURIComponent).join("/");
  return `${pageOf(repository, settings)}/resolve/${commit}/${file}`;
}

/**
 * Fetches a file's content into the folder of blobs, under its hash. It is written to `<hash>.incomplete` first, as
 * Hugging Face's tools do, so that what an earlier try left is gone on with; bytes of the right hash alone become one.
 * @throws THAW_HUB_WRONG_BYTES, _UNREACHABLE, _CACHE and what the hub answers
 */
export async function downloadBlob(file: RemoteFile, blobs: string, download: Download): Promise<void> {
  const incomplete = join(blobs, `${file.hash}.incomplete`);
  const url = resolveUrl(file.path, download);
  for (let attempt = 1; ; attempt++) {
    await completed(file, incomplete, url, download);
    const actual = await hashOf(incomplete, file);
    if (actual === file.hash) break;
    await written(blobs, rm(incomplete, { force: true }));
    download.onBytes(-file.bytes);
    // What an earlier try or another tool left may have been wrong
    if (attempt === 2) throw wrongBytes(file.path, url, file.hash, actual);
  }
  await written(blobs, rename(incomplete, join(blobs, file.hash)));
}

/** Goes on until the file has its length, however often the connection breaks, as long as each try brings something. */
async function completed(file: RemoteFile, incomplete: string, url: string, download: Download): Promise<void> {
  let failures = 0;
  let done = await lengthOf(incomplete);
  download.onBytes(done);
  for (;;) {
    if (done > file.bytes) {
      await written(incomplete, rm(incomplete, { force: true }));
      download.onBytes(-done);
      done = 0;
    }
    if (done === file.bytes) {
      if (done === 0) await written(incomplete, (await open(incomplete, "w")).close());
      return;
    }
    const before = done;
    try {
      await append(url, incomplete, done, file.bytes, download);
    } catch (cause) {
      if (!(cause instanceof Broken)) throw cause;
      failures = (await lengthOf(incomplete)) > before ? 1 : failures + 1;
      if (failures >= download.patience.attempts) throw unreachable(url, networkCause(cause.cause));
    }
    done = await lengthOf(incomplete);
  }
}

/** A connection that ended in the middle. */
class Broken extends Error {}

async function append(
  url: string,
  incomplete: string,
  done: number,
  total: number,
  { request, signal, onBytes }: Download,
): Promise<void> {
  const response = await request(url, {
    headers: { "accept-encoding": "identity", ...(done === 0 ? {} : { range: `bytes=${done}-` }) },
    signal,
  });
  // A server that knows no ranges sends all of it
  const isWhole = response.status !== 206;
  if (isWhole) onBytes(-done);
  const target = await written(incomplete, open(incomplete, isWhole ? "w" : "a"));
  let length = isWhole ? 0 : done;
  try {
    const reader = response.body?.getReader();
    for (;;) {
      const { value } = await (reader?.read() ?? Promise.resolve({ value: undefined })).catch((cause: unknown) => {
        if (signal.aborted) throw cause;
        throw new Broken("The connection broke.", { cause });
      });
      if (value === undefined) break;
      await written(incomplete, target.write(value));
      length += value.length;
      onBytes(value.length);
      // Longer than it should be: its hash cannot be right any more
      if (length > total) return await reader?.cancel();
    }
  } finally {
    await target.close();
  }
  if (length < total) throw new Broken("It ended.", { cause: new Error(`it ended after ${length} of ${total} bytes`) });
}

async function lengthOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** A file's hash, of the kind that the hub names. */
async function hashOf(path: string, { hashKind }: Pick<RemoteFile, "hashKind">): Promise<string> {
  const hash = createHash(hashKind === "sha256" ? "sha256" : "sha1");
  // Git hashes a blob with its length before it
  if (hashKind === "git-sha1") hash.update(`blob ${await lengthOf(path)}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** A write into the cache, whose failure is told as such. */
export async function written<Result>(place: string, writing: Promise<Result>): Promise<Result> {
  return writing.catch((cause: unknown) => {
    throw cacheUnwritable(place, cause);
  });
}
