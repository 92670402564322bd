import { copyFile, link, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { makeFolders } from "@thaw/contracts";
import { written } from "./download.js";
import type { RemoteFile } from "./listing.js";
import { isCommit, isInside, type Repository, type RepositoryFolders } from "./repository.js";

/**
 * Puts a blob into a snapshot: a relative link as Hugging Face's tools make, and where the system allows none (Windows
 * without developer mode) a hard link or a copy.
 */
export async function linkBlob(folders: RepositoryFolders, commit: string, file: RemoteFile): Promise<void> {
  const blob = join(folders.blobs, file.hash);
  const place = join(folders.snapshots, commit, file.path);
  await written(place, makeFolders(dirname(place)));
  await rm(place, { force: true });
  try {
    await symlink(relative(dirname(place), blob), place);
  } catch {
    await link(blob, place).catch(() => written(place, copyFile(blob, place)));
  }
}

/** True where a snapshot holds a file whole. */
export async function isHere(folders: RepositoryFolders, commit: string, file: RemoteFile): Promise<boolean> {
  return hasBytes(join(folders.snapshots, commit, file.path), file.bytes);
}

/** True where the cache holds a file's content. */
export async function hasBlob(folders: RepositoryFolders, file: RemoteFile): Promise<boolean> {
  return hasBytes(join(folders.blobs, file.hash), file.bytes);
}

async function hasBytes(path: string, bytes: number): Promise<boolean> {
  return stat(path).then(
    (status) => status.isFile() && status.size === bytes,
    () => false,
  );
}

/** Notes which commit a branch or tag was, for days without a network. */
export async function writeRef(
  folders: RepositoryFolders,
  { revision = "main" }: Repository,
  commit: string,
): Promise<void> {
  if (isCommit(revision) || !isInside(revision)) return;
  await writeWhole(join(folders.refs, revision), commit);
}

/** The commit that a revision was when it was asked for last; undefined where it never was. */
export async function readRef(
  folders: RepositoryFolders,
  { revision = "main" }: Repository,
): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  if (!isInside(revision)) return undefined;
  const commit = (await readFile(join(folders.refs, revision), "utf8").catch(() => "")).trim();
  return isCommit(commit) ? commit : undefined;
}

/** Notes what was selected of a snapshot, so that another run knows that it is whole without asking. */
export async function writeNote(
  folders: RepositoryFolders,
  commit: string,
  key: string,
  files: readonly RemoteFile[],
): Promise<void> {
  const notes = { ...(await readNotes(folders, commit)), [key]: files };
  await writeWhole(join(folders.notes, `${commit}.json`), JSON.stringify(notes));
}

/** What was selected of a snapshot and fetched; undefined where nothing was. */
export async function readNote(
  folders: RepositoryFolders,
  commit: string,
  key: string,
): Promise<readonly RemoteFile[] | undefined> {
  return (await readNotes(folders, commit))[key];
}

async function readNotes(
  folders: RepositoryFolders,
  commit: string,
): Promise<Readonly<Record<string, readonly RemoteFile[]>>> {
  try {
    return JSON.parse(await readFile(join(folders.notes, `${commit}.json`), "utf8")) as Record<string, RemoteFile[]>;
  } catch {
    return {};
  }
}

/** Readers see a file as it was or as it is. */
async function writeWhole(path: string, text: string): Promise<void> {
  await written(path, makeFolders(dirname(path)));
  const draft = `${path}.${process.pid}`;
  await written(path, writeFile(draft, text));
  await written(path, rename(draft, path));
}
