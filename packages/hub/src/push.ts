import { pathToFileURL } from "node:url";
import { commit, createBranch, createRepo } from "@huggingface/hub";
import { ThawError } from "@thaw/contracts";
import { answerWrong, pushOffline, tokenRefused } from "./errors.js";
import { isCommit, pageOf, type Repository } from "./repository.js";
import { hubFetch, PATIENT } from "./request.js";
import type { HubContext } from "./snapshot.js";

/** A file to push: one on disk, or a text. */
export interface PushedFile {
  /** In the repository, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly content: { readonly file: string } | { readonly text: string };
}

/** What is pushed. */
export interface Push {
  /** Its revision is a branch, which is made where it is not there. */
  readonly repository: Repository;
  readonly files: readonly PushedFile[];
  /** First line of the commit. */
  readonly title: string;
  /** A repository that is made for it is shown to its members alone. */
  readonly isPrivate: boolean;
}

/**
 * Pushes files as one commit, into a repository that is made where it is not there. Large files go to Git LFS first,
 * those that are there already are not sent again.
 * @throws THAW_HUB_PUSH_OFFLINE, THAW_HUB_TOKEN, and what the hub answers
 */
export async function pushFiles(
  { repository, files, title, isPrivate }: Push,
  { settings, patience = PATIENT, progress }: HubContext,
): Promise<{ readonly page: string; readonly commit: string }> {
  const page = pageOf(repository, settings);
  if (settings.isOffline) throw pushOffline(page);
  if (settings.token === undefined) throw tokenRefused(page, false, "");
  const { type, name, revision: branch = "main" } = repository;
  if (isCommit(branch)) throw answerWrong(page, "a commit cannot be pushed to, only a branch");
  const asked = hubFetch(settings, repository, patience);
  let sent = 0;
  const request: typeof fetch = async (input, init) => {
    const response = await asked(input, init);
    if (init?.method === "PUT" && init.body instanceof Blob) progress?.advance((sent += init.body.size));
    return response;
  };
  const common = { repo: { type, name }, hubUrl: settings.endpoint, fetch: request };
  const visibility = isPrivate ? { visibility: "private" as const } : {};
  // Who asks is said by the request itself
  await unlessThere(createRepo({ ...common, ...visibility, credentials: undefined, accessToken: "" }));
  if (branch !== "main") await unlessThere(createBranch({ ...common, branch }));
  progress?.begin(
    `pushing ${name}`,
    files.reduce((sum, { bytes }) => sum + bytes, 0),
    0,
  );
  try {
    const result = await commit({
      ...common,
      title,
      branch,
      operations: files.map(({ path, content }) => ({
        operation: "addOrUpdate",
        path,
        content: "file" in content ? pathToFileURL(content.file) : new Blob([content.text]),
      })),
    });
    if (result === undefined) throw answerWrong(page, "it names no commit");
    return { page, commit: result.commit.oid };
  } finally {
    progress?.end();
  }
}

/** Something that may be there already, which the hub answers with 409. */
async function unlessThere(making: Promise<unknown>): Promise<void> {
  await making.catch((error: unknown) => {
    if (!(error instanceof ThawError) || error.details["status"] !== 409) throw error;
  });
}
