import { ThawError } from "@thaw/core";

/** Codes of this package's errors; never reused. */
export const BACKEND_ERROR_CODES = ["THAW_BACKEND_MISSING", "THAW_BACKEND_LOAD_FAILED", "THAW_BACKEND_ALREADY_LOADED"] as const;

/** The backend that the user named is not on this machine. */
export function backendMissing(facts: { readonly backend: string; readonly lookedFor: string; readonly command: string }): ThawError {
  return new ThawError(
    "THAW_BACKEND_MISSING",
    `The backend "${facts.backend}" was asked for, and it is not there: ${facts.lookedFor}. In the config it is the key \`backend\`. Get it with \`${facts.command}\`, or write \`backend: auto\` to take the fastest that is there.`,
    { details: facts },
  );
}

/** The backend is there and does not start. */
export function backendLoadFailed(facts: { readonly backend: string; readonly where: string; readonly command: string }, cause: unknown): ThawError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ThawError(
    "THAW_BACKEND_LOAD_FAILED",
    `The backend "${facts.backend}" was found at ${facts.where} and does not start: ${reason} Repair it with \`${facts.command}\`, or write \`backend: wasm\` to go on without it.`,
    { details: { ...facts, reason }, cause },
  );
}

/** TensorFlow's library lives once in a process, so two builds of it cannot. */
export function backendAlreadyLoaded(facts: { readonly backend: string; readonly loaded: string }): ThawError {
  return new ThawError(
    "THAW_BACKEND_ALREADY_LOADED",
    `The backend "${facts.backend}" was asked for in a process that already runs "${facts.loaded}". Both are TensorFlow's library, which a process can load once. Start a new process for the other.`,
    { details: facts },
  );
}
