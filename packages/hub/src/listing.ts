import { datasetInfo, listFiles, modelInfo } from "@huggingface/hub";
import { answerWrong } from "./errors.js";
import { isCommit, isInside, pageOf, type Repository } from "./repository.js";
import type { HubSettings } from "./settings.js";

/** One file of a repository at a commit. */
export interface RemoteFile {
  /** Within the repository, with `/`. */
  readonly path: string;
  readonly bytes: number;
  /** The sha256 of its content where Git LFS keeps it, else git's sha1 of it. The name of its blob in the cache. */
  readonly hash: string;
  readonly hashKind: "sha256" | "git-sha1";
}

/** The commit that a revision is now. `@throws THAW_HUB_*` */
export async function commitOf(repository: Repository, settings: HubSettings, request: typeof fetch): Promise<string> {
  const { type, name, revision = "main" } = repository;
  if (isCommit(revision)) return revision;
  const asked = { name, revision, hubUrl: settings.endpoint, fetch: request };
  const { sha } =
    type === "model"
      ? await modelInfo({ ...asked, additionalFields: ["sha"] })
      : await datasetInfo({ ...asked, additionalFields: ["sha"] });
  if (typeof sha !== "string" || !isCommit(sha))
    throw answerWrong(pageOf(repository, settings), "it names no commit of the revision");
  return sha;
}

/** All files of a repository at a commit. `@throws THAW_HUB_*` */
export async function listRepository(
  { type, name }: Repository,
  commit: string,
  settings: HubSettings,
  request: typeof fetch,
): Promise<readonly RemoteFile[]> {
  const files: RemoteFile[] = [];
  const asked = { repo: { type, name }, revision: commit, recursive: true, hubUrl: settings.endpoint, fetch: request };
  for await (const { type: kind, path, size, oid = "", lfs } of listFiles(asked)) {
    if (kind !== "file") continue;
    const hash = lfs?.oid ?? oid;
    const hashKind = lfs === undefined ? "git-sha1" : "sha256";
    // Paths and hashes become names in the cache
    if (!isInside(path) || !(hashKind === "sha256" ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hash))
      throw answerWrong(pageOf({ type, name }, settings), `it lists a file ${JSON.stringify(path)} of hash ${hash}`);
    files.push({ path, bytes: lfs?.size ?? size, hash, hashKind });
  }
  return files;
}
