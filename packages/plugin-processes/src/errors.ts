import { ThawError } from "@thaw/core";

/** Processes did not find each other in time. `missing`: ranks, where this is rank 0. */
export function notAllCame(
  { address, port, seconds }: { readonly address: string; readonly port: number; readonly seconds: number },
  missing: readonly number[] | undefined,
  cause?: unknown,
): ThawError {
  const who =
    missing === undefined
      ? `Rank 0 does not answer at ${address}:${port}`
      : `${missing.length === 1 ? "Rank" : "Ranks"} ${missing.join(", ")} did not come to ${address}:${port}`;
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new ThawError(
    "THAW_PROCESSES_NOT_ALL_CAME",
    `${who} within ${seconds} s${why}. In the processes that train together. See what those processes say, that this ` +
      "host and port can be reached from theirs, and that all have the same THAW_TOKEN; --wait gives more time.",
    { details: { address, port, seconds, missing }, cause },
  );
}

/** Rank 0 cannot listen where the others look for it. */
export function cannotListen(address: string, port: number, cause: unknown): ThawError {
  return new ThawError(
    "THAW_PROCESSES_CANNOT_LISTEN",
    `Rank 0 cannot listen on ${address}:${port}: ${(cause as Error).message}. In MASTER_ADDR and MASTER_PORT. Name a ` +
      "free port, and the host that rank 0 runs on.",
    { details: { address, port }, cause },
  );
}

/** A place lacks what processes need to find each other. */
export function placeIncomplete(missing: readonly string[]): ThawError {
  return new ThawError(
    "THAW_PROCESSES_PLACE_INCOMPLETE",
    `Of where the processes meet, ${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not known. In the ` +
      "environment of the processes that train together. Set MASTER_ADDR, MASTER_PORT and THAW_TOKEN (any long " +
      "secret text) to the same values for all; docs/several-processes.md has whole examples.",
    { details: { missing } },
  );
}
