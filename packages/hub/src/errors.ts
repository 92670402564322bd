import { causeText, ThawError } from "@thaw/contracts";

/** A name that no repository of the hub can have. */
export function nameWrong(name: string, reason: string): ThawError {
  return new ThawError(
    "THAW_HUB_NAME",
    `${JSON.stringify(name)} does not name a repository of the hub. ${reason}At model, data or on the command line. ` +
      "Write hub:org/name, hub:org/name@revision, or for data hub:org/name/path/in/it.",
    { details: { name } },
  );
}

/** The hub has no such repository, or does not show it. */
export function repositoryUnknown(repository: string, url: string, hasToken: boolean): ThawError {
  return new ThawError(
    "THAW_HUB_UNKNOWN",
    `The hub knows no ${repository}, or shows it to its members alone. At ${url}. Check the name; ` +
      (hasToken
        ? "for a private one the token must belong to an account that may read it."
        : "for a private one set HF_TOKEN, or log in with hf auth login."),
    { details: { repository, url } },
  );
}

/** A repository has no such branch, tag or commit. */
export function revisionUnknown(repository: string, revision: string, url: string): ThawError {
  return new ThawError(
    "THAW_HUB_REVISION",
    `${repository} has no revision ${JSON.stringify(revision)}. At ${url}. Name a branch, tag or commit of it, ` +
      "or leave the @ and what follows out for its main branch.",
    { details: { repository, revision, url } },
  );
}

/** A repository's files are given to those alone who accepted its licence. */
export function repositoryGated(repository: string, page: string, hasToken: boolean): ThawError {
  return new ThawError(
    "THAW_HUB_GATED",
    `${repository} is given to those who accepted its licence. At ${page}. Accept it there` +
      (hasToken
        ? " with the account of your token, and wait where it says so."
        : ", and set HF_TOKEN to a token of yours."),
    { details: { repository, page } },
  );
}

/** The hub does not accept the token, or it may not do that. */
export function tokenRefused(url: string, hasToken: boolean, message: string): ThawError {
  return new ThawError(
    "THAW_HUB_TOKEN",
    `The hub refuses ${hasToken ? "the token" : "this without a token"}${message === "" ? "" : ` (${message})`}. ` +
      `At ${url}. Set HF_TOKEN to a token that may do this, or log in with hf auth login.`,
    { details: { url } },
  );
}

/** The hub wants fewer questions, and still did after it was waited as long as it asked for. */
export function tooManyRequests(url: string, seconds: number): ThawError {
  return new ThawError(
    "THAW_HUB_BUSY",
    `The hub answers 429, too many requests. At ${url}. Try again in ${Math.max(1, Math.ceil(seconds))} seconds; ` +
      "with HF_TOKEN set the limit is higher. What was fetched so far is kept.",
    { details: { url, seconds } },
  );
}

/** The hub cannot be reached, breaks off or answers that it is broken. */
export function unreachable(url: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_HUB_UNREACHABLE",
    `The hub cannot be reached: ${causeText(cause)}. At ${url}. Check the network, proxy and HF_ENDPOINT, and try ` +
      "again: what was fetched so far is kept. HF_HUB_OFFLINE=1 takes what the cache holds.",
    { details: { url }, cause },
  );
}

/** The hub answers a request with an error that has no meaning of its own. */
export function refused(url: string, status: number, message: string): ThawError {
  return new ThawError(
    "THAW_HUB_REFUSED",
    `The hub answers ${status}${message === "" ? "" : `: ${message.replace(/\.$/, "")}`}. At ${url}. See what it ` +
      "says; nothing was changed here.",
    { details: { url, status } },
  );
}

/** An answer of the hub that is not as its protocol says. */
export function answerWrong(url: string, reason: string): ThawError {
  return new ThawError(
    "THAW_HUB_ANSWER",
    `The hub's answer cannot be used: ${reason}. At ${url}. Check that HF_ENDPOINT is a Hugging Face hub.`,
    { details: { url } },
  );
}

/** What was fetched is not what the hub says the file is. */
export function wrongBytes(path: string, url: string, expected: string, actual: string): ThawError {
  return new ThawError(
    "THAW_HUB_WRONG_BYTES",
    `${path} came with other bytes than the hub names: its hash is ${actual}, not ${expected}. At ${url}. Nothing of ` +
      "it was kept. Try again; where it stays, something between here and the hub changes files.",
    { details: { path, url, expected, actual } },
  );
}

/** Nothing may be asked of the network, and the cache lacks something. */
export function notInCache(repository: string, cache: string, missing: string): ThawError {
  return new ThawError(
    "THAW_HUB_OFFLINE",
    `${repository} is not in the cache${missing === "" ? "" : ` (${missing})`}, and HF_HUB_OFFLINE is set. At ` +
      `${cache}. ` +
      "Unset HF_HUB_OFFLINE to fetch it, or name a local folder.",
    { details: { repository, cache } },
  );
}

/** A repository without what is needed of it. */
export function nothingToFetch(repository: string, wanted: string, there: readonly string[]): ThawError {
  return new ThawError(
    "THAW_HUB_NOTHING",
    `${repository} has no ${wanted}. In its files${there.length === 0 ? "" : ` (${there.slice(0, 5).join(", ")})`}. ` +
      "Name a repository, or a path in it, that has them.",
    { details: { repository, wanted, there } },
  );
}

/** The cache cannot be written. */
export function cacheUnwritable(folder: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_HUB_CACHE",
    `The hub's cache cannot be written: ${causeText(cause)}. At ${folder}. Make room or check its permissions, or ` +
      "set HF_HUB_CACHE to another folder; what was fetched so far is kept.",
    { details: { folder }, cause },
  );
}

/** A push while nothing may be asked of the network. */
export function pushOffline(page: string): ThawError {
  return new ThawError(
    "THAW_HUB_PUSH_OFFLINE",
    `Nothing can be pushed while HF_HUB_OFFLINE is set. To ${page}. Unset it; --dry-run writes the card all the same.`,
    { details: { page } },
  );
}
