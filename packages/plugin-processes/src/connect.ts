import type { Ensemble } from "@thaw/core";
import type { Engine } from "./engines/engine.js";
import { Mpi, MpiEngine } from "./engines/mpi.js";
import { NcclEngine } from "./engines/nccl.js";
import { Ring } from "./engines/ring.js";
import { placeIncomplete } from "./errors.js";
import type { Place } from "./place.js";
import { ProcessEnsemble } from "./process-ensemble.js";
import { meet } from "./wire/meet.js";
import { Messages } from "./wire/messages.js";
import { startPulse } from "./wire/pulse.js";

/** What sums gradients. */
export const ENGINES = ["tcp", "mpi", "nccl"] as const;
export type EngineName = (typeof ENGINES)[number];

/** How processes are connected. */
export interface ConnectOptions {
  /** Default: `tcp`, or `mpi` for processes of `mpirun` that were told no other way to meet. */
  readonly engine?: EngineName;
  /** How long all have to come, in seconds. Default: 60. */
  readonly waitSeconds?: number;
  /** Ends waiting for the others, with its reason: one of them has failed. */
  readonly signal?: AbortSignal;
  /** Told when all have come. */
  readonly onConnected?: () => void;
}

const WAIT_SECONDS = 60;

/**
 * Connects this process with the others of its run. The caller closes what it gets. @throws
 * THAW_PROCESSES_PLACE_INCOMPLETE, THAW_PROCESSES_NOT_ALL_CAME, THAW_PROCESSES_CANNOT_LISTEN,
 * THAW_PROCESSES_LIBRARY_MISSING, THAW_PROCESSES_LIBRARY_FAILED, THAW_PROCESSES_MPI_PLACE, THAW_PROCESSES_NO_CARD
 */
export async function connectProcesses(
  place: Place,
  {
    engine: name = place.launcher !== undefined && place.address === undefined ? "mpi" : "tcp",
    waitSeconds = WAIT_SECONDS,
    signal,
    onConnected,
  }: ConnectOptions = {},
): Promise<Ensemble> {
  const { rank, size } = place;
  const mpi = name === "mpi" ? await Mpi.start(place) : undefined;
  const { address, port, token } = mpi === undefined ? place : await mpi.findPlace(place);
  if (address === undefined || port === undefined || token === undefined) {
    const facts = { MASTER_ADDR: address, MASTER_PORT: port, THAW_TOKEN: token };
    throw placeIncomplete(Object.entries(facts).flatMap(([fact, value]) => (value === undefined ? [fact] : [])));
  }
  const met = await meet({ rank, size, address, port, token, waitSeconds, signal });
  onConnected?.();
  const messages = new Messages(rank, size, met.messages);
  let endPulse = (): Promise<void> => Promise.resolve();
  try {
    endPulse = await startPulse(messages, { address, token });
    const ring = new Ring(rank, size, met);
    return new ProcessEnsemble(messages, await engineOf(), async () => {
      await ring.close();
      await endPulse();
    });

    async function engineOf(): Promise<Engine> {
      if (mpi !== undefined) return new MpiEngine(mpi);
      return name === "nccl" ? NcclEngine.join(messages, place.localRank) : ring;
    }
  } catch (error) {
    messages.lose({ rank, reason: (error as Error).message });
    await messages.close();
    await endPulse();
    throw error;
  }
}
