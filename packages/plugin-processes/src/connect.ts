import type { Ensemble } from "@thaw/core";
import { Ring } from "./engines/ring.js";
import { placeIncomplete } from "./errors.js";
import type { Place } from "./place.js";
import { ProcessEnsemble } from "./process-ensemble.js";
import { meet } from "./wire/meet.js";
import { Messages } from "./wire/messages.js";
import { startPulse } from "./wire/pulse.js";

/** How processes are connected. */
export interface ConnectOptions {
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
 * THAW_PROCESSES_PLACE_INCOMPLETE, THAW_PROCESSES_NOT_ALL_CAME, THAW_PROCESSES_CANNOT_LISTEN
 */
export async function connectProcesses(
  { rank, size, address, port, token }: Place,
  { waitSeconds = WAIT_SECONDS, signal, onConnected }: ConnectOptions = {},
): Promise<Ensemble> {
  if (address === undefined || port === undefined || token === undefined) {
    const facts = { MASTER_ADDR: address, MASTER_PORT: port, THAW_TOKEN: token };
    throw placeIncomplete(Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [name] : [])));
  }
  const met = await meet({ rank, size, address, port, token, waitSeconds, signal });
  const messages = new Messages(rank, size, met.messages);
  onConnected?.();
  const endPulse = await startPulse(messages, { address, token });
  return new ProcessEnsemble(messages, new Ring(rank, size, met), endPulse);
}
