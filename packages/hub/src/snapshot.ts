import { readdir, readFile, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { makeFolders, ThawError } from "@thaw/contracts";
import { downloadBlob, written } from "./download.js";
import { notInCache, nothingToFetch } from "./errors.js";
import { hasBlob, isHere, linkBlob, readNote, readRef, writeNote, writeRef } from "./layout.js";
import { commitOf, listRepository, type RemoteFile } from "./listing.js";
import { whileLocked } from "./lock.js";
import { foldersOf, repositoryText, type HubName } from "./repository.js";
import { HASTY, hubFetch, PATIENT, type Patience } from "./request.js";
import type { Selection } from "./selection.js";
import type { HubSettings } from "./settings.js";

/** Who is told how far a download is. */
export interface HubProgress {
  begin(label: string, totalBytes: number, doneBytes: number): void;
  advance(doneBytes: number): void;
  end(): void;
}

/** How the hub is asked. */
export interface HubContext {
  readonly settings: HubSettings;
  /** Default: as long as a download is worth. */
  readonly patience?: Patience;
  readonly progress?: HubProgress | undefined;
  /** Told what a person should know: that another process fetches, that the cache stands in for the hub. */
  readonly onNote?: (text: string) => void;
}

/** What is meant by a name: which commit, which files, and what of it is not in the cache yet. */
export interface Found {
  readonly name: HubName;
  readonly commit: string;
  readonly files: readonly RemoteFile[];
  readonly missing: readonly RemoteFile[];
  /** The snapshot in the cache, or the path in it that the name gives. */
  readonly folder: string;
}

/** Files that are fetched at the same time. */
const AT_ONCE = 4;

/**
 * Finds out what a name means, without fetching more than what that takes. A commit whose files are in the cache is not
 * asked for at all; where the hub is not reached the cache stands in for it.
 * @throws THAW_HUB_* for what the hub says, THAW_HUB_OFFLINE, THAW_HUB_NOTHING
 */
export async function findSnapshot(name: HubName, selection: Selection, context: HubContext): Promise<Found> {
  const { settings } = context;
  const folders = foldersOf(name, settings);
  const known = await readRef(folders, name);
  const noted = known === undefined ? undefined : await wholeNote(name, selection, known, settings);
  if (noted !== undefined && (settings.isOffline || known === name.revision)) return noted;
  if (settings.isOffline) return inCache(name, selection, known, settings);
  const commit = await commitOf(
    name,
    settings,
    hubFetch(settings, name, noted === undefined ? patienceOf(context) : HASTY),
  ).catch((error: unknown) => {
    if (noted === undefined || !(error instanceof ThawError) || error.code !== "THAW_HUB_UNREACHABLE") throw error;
    context.onNote?.(
      `${error.message} Taking ${repositoryText(name)} as it is in the cache (${noted.commit.slice(0, 8)}).`,
    );
    return noted.commit;
  });
  const whole = commit === known ? noted : await wholeNote(name, selection, commit, settings);
  if (whole !== undefined) return whole;
  const files = await listRepository(name, commit, settings, hubFetch(settings, name, patienceOf(context)));
  const text = async (path: string): Promise<string> => {
    const file = files.find((one) => one.path === path)!;
    await fetchFiles(name, commit, [file], { ...context, progress: undefined });
    return readFile(join(folders.snapshots, commit, path), "utf8");
  };
  const selected = await selection.all(files, text);
  if (selected.length === 0)
    throw nothingToFetch(
      repositoryText(name),
      selection.what,
      files.map(({ path }) => path),
    );
  return found(name, commit, selected, settings);
}

/**
 * Fetches into the cache what a name means, and returns where it lies. One process of a host fetches a repository, the
 * others wait. `@throws` as `findSnapshot`, THAW_HUB_WRONG_BYTES, THAW_HUB_CACHE
 */
export async function fetchSnapshot(name: HubName, selection: Selection, context: HubContext): Promise<Found> {
  const asked = await findSnapshot(name, selection, context);
  if (context.settings.isOffline) return asked;
  const { commit, files } = asked;
  const folders = foldersOf(name, context.settings);
  if (asked.missing.length > 0) await fetchFiles(name, commit, files, context);
  await writeRef(folders, name, commit);
  if ((await readNote(folders, commit, selection.key)) === undefined)
    await writeNote(folders, commit, selection.key, files);
  return { ...asked, missing: [] };
}

/** Fetches these files where they are missing, with a lock. */
export async function fetchFiles(
  name: HubName,
  commit: string,
  files: readonly RemoteFile[],
  context: HubContext,
): Promise<void> {
  const { settings, onNote } = context;
  const folders = foldersOf(name, settings);
  const lock = join(folders.locks, `${commit}.thaw`);
  const onWait = (): void => onNote?.(`Another process fetches ${repositoryText(name)}; waiting for it.`);
  await whileLocked(lock, onWait, async () => {
    const missing = await missingOf(name, commit, files, settings);
    const toFetch: RemoteFile[] = [];
    for (const file of missing)
      if (await hasBlob(folders, file)) await linkBlob(folders, commit, file);
      else toFetch.push(file);
    if (toFetch.length > 0) await fetchAll(name, commit, toFetch, context);
  });
}

async function fetchAll(
  name: HubName,
  commit: string,
  files: readonly RemoteFile[],
  context: HubContext,
): Promise<void> {
  const { settings, progress } = context;
  const folders = foldersOf(name, settings);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  progress?.begin(`fetching ${repositoryText(name)}`, total, 0);
  const failed = new AbortController();
  const patience = patienceOf(context);
  const download = {
    repository: name,
    commit,
    settings,
    request: hubFetch(settings, name, patience),
    patience,
    signal: failed.signal,
    onBytes: (bytes: number) => progress?.advance((done += bytes)),
  };
  // Equal contents are one blob
  const queue = [...new Map(files.map((file) => [file.hash, file])).values()];
  await written(folders.blobs, makeFolders(folders.blobs));
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift())
      await downloadBlob(file, folders.blobs, download);
  };
  let error: unknown;
  await Promise.all(
    Array.from({ length: AT_ONCE }, () =>
      work().catch((cause: unknown) => {
        // The first failure ends the others, whose errors only say so
        if (!failed.signal.aborted) error = cause;
        failed.abort();
      }),
    ),
  );
  progress?.end();
  if (failed.signal.aborted) throw error;
  for (const file of files) await linkBlob(folders, commit, file);
}

function patienceOf({ patience = PATIENT }: HubContext): Patience {
  return patience;
}

async function missingOf(
  name: HubName,
  commit: string,
  files: readonly RemoteFile[],
  settings: HubSettings,
): Promise<readonly RemoteFile[]> {
  const folders = foldersOf(name, settings);
  const here = await Promise.all(files.map((file) => isHere(folders, commit, file)));
  return files.filter((_, index) => !here[index]);
}

async function found(
  name: HubName,
  commit: string,
  files: readonly RemoteFile[],
  settings: HubSettings,
): Promise<Found> {
  const folder = join(foldersOf(name, settings).snapshots, commit, ...(name.path?.split("/") ?? []));
  return { name, commit, files, missing: await missingOf(name, commit, files, settings), folder };
}

/** A snapshot whose note says what belongs to it, where all of that is there. */
async function wholeNote(
  name: HubName,
  selection: Selection,
  commit: string,
  settings: HubSettings,
): Promise<Found | undefined> {
  const files = await readNote(foldersOf(name, settings), commit, selection.key);
  if (files === undefined) return undefined;
  const result = await found(name, commit, files, settings);
  return result.missing.length === 0 ? result : undefined;
}

/** A snapshot that another tool fetched: what it holds of what is needed; readers name what is not there. */
async function inCache(
  name: HubName,
  selection: Selection,
  commit: string | undefined,
  settings: HubSettings,
): Promise<Found> {
  const text = repositoryText(name);
  if (commit === undefined) throw notInCache(text, settings.cache, "");
  const folder = join(foldersOf(name, settings).snapshots, commit);
  const files = await filesIn(folder);
  const selected = await selection.all(files, (path) => readFile(join(folder, path), "utf8"));
  if (selected.length === 0) throw notInCache(text, settings.cache, `it holds no ${selection.what}`);
  return found(name, commit, selected, settings);
}

async function filesIn(folder: string): Promise<readonly RemoteFile[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const files = await Promise.all(
    names.map(async (name) => {
      const status = await stat(join(folder, name)).catch(() => undefined);
      return status?.isFile() === true
        ? [{ path: name.split(sep).join("/"), bytes: status.size, hash: "", hashKind: "git-sha1" as const }]
        : [];
    }),
  );
  return files.flat();
}
