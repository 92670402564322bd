import { type Backend, causeText, ThawError } from "@thaw/core";
import { backendLoadFailed, backendMissing } from "./errors.js";
import { loadBackend } from "./loading/load.js";
import { describeSearch, type Location, locate } from "./locate.js";
import type { BackendName, ResolvedBackendOptions } from "./options.js";
import { backendEntry, type BackendEntry, BACKENDS } from "./table.js";

/** A backend and whether it is on this machine. */
export interface Candidate {
  readonly entry: BackendEntry;
  /** Undefined where it is missing. */
  readonly location?: Location;
}

/** How to find and load; tests put their own in. */
export interface BackendLoader {
  locate(entry: BackendEntry): Location | undefined;
  load(entry: BackendEntry, location: Location): Promise<Backend>;
}

/** The outcome: what runs, and one line for each faster backend that was there and failed. */
export interface Choice {
  readonly backend: Backend;
  readonly entry: BackendEntry;
  readonly fallbacks: readonly string[];
}

/** All backends in order, with where they were found. */
export function listCandidates(loader: Pick<BackendLoader, "locate">): Candidate[] {
  return BACKENDS.map((entry) => ({ entry, location: loader.locate(entry) }));
}

/** Looks in the folders of the options and loads for real. */
export function realLoader(options: ResolvedBackendOptions): BackendLoader {
  return {
    locate: (entry) => locate(entry, options),
    load: (entry, location) => loadBackend(entry, location, options),
  };
}

/**
 * Loads the named backend, or the fastest that is there and starts.
 * @throws THAW_BACKEND_MISSING if the named one is absent, THAW_BACKEND_LOAD_FAILED if it does not start (in `auto`: if
 * none does).
 */
export async function chooseBackend(
  options: ResolvedBackendOptions,
  loader: BackendLoader = realLoader(options),
): Promise<Choice> {
  return options.name === "auto" ? await chooseFastest(loader) : await loadNamed(options.name, options, loader);
}

async function loadNamed(name: BackendName, options: ResolvedBackendOptions, loader: BackendLoader): Promise<Choice> {
  const entry = backendEntry(name);
  const location = loader.locate(entry);
  if (location === undefined)
    throw backendMissing({ backend: name, lookedFor: describeSearch(entry, options), command: entry.command });
  return { backend: await load(entry, location, loader), entry, fallbacks: [] };
}

async function chooseFastest(loader: BackendLoader): Promise<Choice> {
  const failures: { readonly entry: BackendEntry; readonly error: unknown }[] = [];
  for (const { entry, location } of listCandidates(loader)) {
    if (location === undefined) continue;
    try {
      return {
        backend: await load(entry, location, loader),
        entry,
        fallbacks: failures.map((failure) => describeFallback(failure, entry)),
      };
    } catch (error) {
      failures.push({ entry, error });
    }
  }
  const last = failures.at(-1);
  throw (
    last?.error ??
    backendMissing({
      backend: "auto",
      lookedFor: "no backend could be resolved at all",
      command: backendEntry("wasm").command,
    })
  );
}

async function load(entry: BackendEntry, location: Location, loader: BackendLoader): Promise<Backend> {
  try {
    return await loader.load(entry, location);
  } catch (error) {
    if (error instanceof ThawError) throw error;
    const where = location.kind === "installed" ? location.folder : Object.values(location.folders).join(", ");
    throw backendLoadFailed({ backend: entry.name, where, command: entry.command }, error);
  }
}

function describeFallback(
  { entry, error }: { readonly entry: BackendEntry; readonly error: unknown },
  instead: BackendEntry,
): string {
  const reason =
    error instanceof ThawError && typeof error.details["reason"] === "string"
      ? error.details["reason"]
      : causeText(error);
  return `Running on ${instead.name} instead of ${entry.name}: ${reason.split("\n", 1)[0]}.`;
}
