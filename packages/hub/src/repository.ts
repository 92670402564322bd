import { join } from "node:path";
import { nameWrong } from "./errors.js";
import type { HubSettings } from "./settings.js";

/** A repository of the hub at one of its revisions. */
export interface Repository {
  readonly type: "model" | "dataset";
  /** `org/name`. */
  readonly name: string;
  /** A branch, a tag or a commit; the main branch without it. */
  readonly revision?: string;
}

/** A repository, and what is meant in it. */
export interface HubName extends Repository {
  /** A file or folder in it, with `/`; all of it without. */
  readonly path?: string;
}

const NAME = /^(?<name>[A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*)$/;
/** As `hf://` paths: a revision ends at the next slash, but for `refs/pr/1` and `refs/convert/parquet`. */
const LONG = /^(?<name>[^/@]+\/[^/@]+)(?:@(?<revision>refs\/(?:pr|convert)\/[^/]+|[^/]+))?(?:\/(?<path>.+))?$/;

/**
 * Reads `org/name`, `org/name@revision` and `org/name@revision/path/in/it`, each with or without `hub:` before it.
 * @throws THAW_HUB_NAME
 */
export function parseHubName(text: string, type: Repository["type"]): HubName {
  const bare = text.replace(/^hub:/, "");
  const { name = "", revision, path } = LONG.exec(bare)?.groups ?? {};
  if (!NAME.test(name) || /--|\.\./.test(name) || /\.(git|ipynb)$/.test(name)) throw nameWrong(text, "");
  const inside = path?.replace(/\/+$/, "");
  if (inside !== undefined && !isInside(inside)) throw nameWrong(text, `${inside} is not a path in it. `);
  if (type === "model" && inside !== undefined) throw nameWrong(text, "A model is all of its repository. ");
  return {
    type,
    name,
    ...(revision === undefined ? {} : { revision: decodeURIComponent(revision) }),
    ...(inside === undefined || inside === "" ? {} : { path: inside }),
  };
}

/** True for a path of a repository that stays in its folder, on any system. */
export function isInside(path: string): boolean {
  return (
    !/^[A-Za-z]:|\\|\0/.test(path) && path.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}

/** `org/name`, with its revision where one was asked for. */
export function repositoryText({ name, revision }: Repository): string {
  return revision === undefined ? name : `${name}@${revision}`;
}

/** True for a commit: what it names never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The page of a repository, where licences are accepted. */
export function pageOf({ type, name }: Repository, { endpoint }: Pick<HubSettings, "endpoint">): string {
  return `${endpoint}/${type === "model" ? "" : `${type}s/`}${name}`;
}

/** Folders of a repository in the cache, in Hugging Face's layout. */
export interface RepositoryFolders {
  readonly blobs: string;
  readonly refs: string;
  readonly snapshots: string;
  /** What Thaw notes of snapshots; other tools pass it over. */
  readonly notes: string;
  /** Folder of locks, which all repositories have beside each other. */
  readonly locks: string;
}

/** Where a repository lies in the cache: `models--org--name`. */
export function foldersOf({ type, name }: Repository, { cache }: Pick<HubSettings, "cache">): RepositoryFolders {
  const own = [`${type}s`, ...name.split("/")].join("--");
  const within = (folder: string): string => join(cache, own, folder);
  return {
    blobs: within("blobs"),
    refs: within("refs"),
    snapshots: within("snapshots"),
    notes: within(".thaw"),
    locks: join(cache, ".locks", own),
  };
}
