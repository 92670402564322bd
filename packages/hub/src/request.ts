import { setTimeout as sleep } from "node:timers/promises";
import {
  refused,
  repositoryGated,
  repositoryUnknown,
  revisionUnknown,
  tokenRefused,
  tooManyRequests,
  unreachable,
} from "./errors.js";
import { pageOf, repositoryText, type Repository } from "./repository.js";
import type { HubSettings } from "./settings.js";

/** How often a request is made before its failure is told, and how long is waited between. */
export interface Patience {
  readonly attempts: number;
  /** Before the second attempt; twice as long before each further one. */
  readonly pauseMs: number;
  /** The longest time that the hub may ask to wait, in seconds. */
  readonly longestWaitSeconds: number;
}

/** For what must be fetched. */
export const PATIENT: Patience = { attempts: 5, pauseMs: 1000, longestWaitSeconds: 120 };
/** For what somebody waits for and can do without. */
export const HASTY: Patience = { attempts: 1, pauseMs: 0, longestWaitSeconds: 0 };

/**
 * A `fetch` for questions about one repository: with the token where the address is the hub's own, and with patience.
 * An answer that is an error is thrown as what it means.
 * @throws THAW_HUB_UNKNOWN, _REVISION, _GATED, _TOKEN, _BUSY, _UNREACHABLE, _REFUSED
 */
export function hubFetch(settings: HubSettings, repository: Repository, patience: Patience): typeof fetch {
  const origin = new URL(settings.endpoint).origin;
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = new Headers(init?.headers);
    headers.delete("authorization");
    if (settings.token !== undefined && new URL(url).origin === origin)
      headers.set("authorization", `Bearer ${settings.token}`);
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= patience.attempts;
      let response: Response;
      try {
        response = await fetch(url, { ...init, headers });
      } catch (cause) {
        if (init?.signal?.aborted === true) throw cause;
        if (isLast) throw unreachable(url, networkCause(cause));
        await pause(patience, attempt, init?.signal);
        continue;
      }
      if (response.ok) return response;
      const seconds = retryAfter(response);
      const isPassing = response.status === 429 || response.status >= 500;
      if (!isPassing || isLast || seconds > patience.longestWaitSeconds)
        throw await errorOf(response, url, settings, repository, seconds);
      await response.body?.cancel();
      if (seconds > 0) await sleep(seconds * 1000, undefined, { signal: init?.signal ?? undefined });
      else await pause(patience, attempt, init?.signal);
    }
  };
}

async function pause({ pauseMs }: Patience, attempt: number, signal: AbortSignal | null | undefined): Promise<void> {
  await sleep(pauseMs * 2 ** (attempt - 1), undefined, { signal: signal ?? undefined });
}

/** What `fetch` says of a broken connection stands in its cause. */
export function networkCause(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return error;
  // Of several addresses that were tried
  const [first] = cause instanceof AggregateError ? (cause.errors as readonly unknown[]) : [];
  return first instanceof Error ? first : cause;
}

/** Seconds that an answer asks to wait: a number or a date; 0 where it does not. */
function retryAfter({ headers }: Response): number {
  const text = headers.get("retry-after");
  if (text === null) return 0;
  const seconds = Number(text);
  const until = Number.isFinite(seconds) ? seconds : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(until) ? Math.max(0, until) : 0;
}

/** What an answer that is an error means; the hub names it in X-Error-Code. */
async function errorOf(
  response: Response,
  url: string,
  settings: HubSettings,
  repository: Repository,
  seconds: number,
): Promise<Error> {
  const { status, headers } = response;
  const code = headers.get("x-error-code") ?? "";
  const hasToken = settings.token !== undefined;
  const name = repositoryText(repository);
  const message = headers.get("x-error-message") ?? messageOf(await response.text().catch(() => ""));
  if (code === "GatedRepo") return repositoryGated(name, pageOf(repository, settings), hasToken);
  if (code === "RevisionNotFound") return revisionUnknown(repository.name, repository.revision ?? "main", url);
  // Of what it does not show the hub says 401 to everybody who has no token
  if (code === "RepoNotFound" || (status === 404 && code === "")) return repositoryUnknown(name, url, hasToken);
  if (status === 401 || status === 403) return tokenRefused(url, hasToken, message);
  if (status === 429) return tooManyRequests(url, seconds);
  if (status >= 500) return unreachable(url, new Error(`it answers ${status}`));
  return refused(url, status, message);
}

function messageOf(body: string): string {
  try {
    const { error } = JSON.parse(body) as { readonly error?: unknown };
    return typeof error === "string" ? error : "";
  } catch {
    return "";
  }
}
