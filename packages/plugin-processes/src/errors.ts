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
/** A library of an engine is not there, or lacks something. */
export function libraryMissing(engine: string, tried: readonly string[], cause: unknown, advice: string): ThawError {
  return new ThawError(
    "THAW_PROCESSES_LIBRARY_MISSING",
    `The engine ${engine} needs a library that cannot be loaded; tried ${tried.join(", ")}: ` +
      `${(cause as Error).message}. In --engine. ${advice}`,
    { details: { engine, tried }, cause },
  );
}

/** A call of a library failed. */
export function libraryFailed(engine: string, call: string, code: number): ThawError {
  return new ThawError(
    "THAW_PROCESSES_LIBRARY_FAILED",
    `${call} of the engine ${engine} failed with code ${code}. In the processes that train together. See what the ` +
      "library wrote to standard error, or use another engine (--engine tcp).",
    { details: { engine, call, code } },
  );
}

/** MPI counts this process otherwise than the variables of its environment. */
export function mpiPlaceDiffers(
  told: { readonly rank: number; readonly size: number },
  found: { readonly rank: number; readonly size: number },
): ThawError {
  return new ThawError(
    "THAW_PROCESSES_MPI_PLACE",
    `This process is rank ${told.rank} of ${told.size} by its environment, and rank ${found.rank} of ${found.size} ` +
      "by MPI. In --engine mpi. Start the processes by the mpirun of the MPI library that is installed (of Open MPI " +
      "and MPICH, where both are), or by srun with a matching --mpi.",
    { details: { told, found } },
  );
}

/** NCCL needs a card in each process. */
export function noCard(code: number): ThawError {
  return new ThawError(
    "THAW_PROCESSES_NO_CARD",
    `There is no NVIDIA card for this process (CUDA's code ${code}). In --engine nccl. See what nvidia-smi lists and ` +
      "what CUDA_VISIBLE_DEVICES leaves of it, or use --engine tcp or mpi.",
    { details: { code } },
  );
}
