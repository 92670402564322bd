import { causeText, nameList, ThawError } from "@thaw/contracts";
import type { LostRank } from "../ensemble/ensemble.js";
import { make } from "./make.js";

/** A rank that others need is not there any more. `stepsDone`: of the one that tells it. */
export function rankLost({ rank, reason }: LostRank, stepsDone?: number): ThawError {
  const last = stepsDone === undefined ? "" : ` The last whole step is step ${stepsDone}.`;
  return make(
    "THAW_CORE_RANK_LOST",
    `Rank ${rank} is lost: ${reason.replace(/\.$/, "")}.${last} In the processes that train together. All ` +
      "stop, since none can go on alone. See what that process says, mend the cause, and go on from the latest " +
      "checkpoint with --resume.",
    { rank, reason, ...(stepsDone === undefined ? {} : { stepsDone }) },
  );
}

/** The same error with the last whole step, where it is one of a rank that is lost. */
export function lostAfter(error: unknown, stepsDone: number): unknown {
  return isRankLost(error) ? rankLost(error.details as unknown as LostRank, stepsDone) : error;
}

/** Whom others are told about when this rank fails: the one that it lost itself, or this one. */
export function lostBy(error: unknown, rank: number): LostRank {
  if (!isRankLost(error)) return { rank, reason: causeText(error) };
  const { rank: other, reason } = error.details as unknown as LostRank;
  return { rank: other, reason };
}

function isRankLost(error: unknown): error is ThawError {
  return error instanceof ThawError && error.code === "THAW_CORE_RANK_LOST";
}

/** Ranks were started with something different, so that they would not train one model. */
export function ranksDiffer(what: string, values: readonly string[]): ThawError {
  const other = values.findIndex((value) => value !== values[0]);
  return make(
    "THAW_CORE_RANKS_DIFFER",
    `Ranks differ in ${what}: rank 0 has ${values[0]}, rank ${other} has ${values[other]}. In the processes that ` +
      "train together. Start all of them with the same config, the same versions and the same files.",
    { what, values },
  );
}

/** A number of processes that is none. */
export function processesInvalid(processes: number): ThawError {
  return make(
    "THAW_CORE_PROCESSES_INVALID",
    `${processes} processes are to train together. In new Trainer({ processes }). Give a whole number above 0.`,
    { processes },
  );
}

/** Several processes are to train, and nothing connects them. */
export function ensembleMissing(processes: number): ThawError {
  return make(
    "THAW_CORE_ENSEMBLE_MISSING",
    `${processes} processes are to train together, and no plugin connects them. In new Trainer({ processes }). Add ` +
      "one that answers resolveEnsemble (@thaw/plugin-processes), or leave processes out.",
    { processes },
  );
}

/** A plugin connected other processes than were asked for. */
export function ensembleUnfit(
  plugin: string | undefined,
  { rank, size }: { readonly rank: number; readonly size: number },
  processes: number,
): ThawError {
  return make(
    "THAW_CORE_ENSEMBLE_UNFIT",
    `${plugin ?? "A plugin"} connected rank ${rank} of ${size}, and ${processes} processes are to train together. In ` +
      "the hook resolveEnsemble. Connect as many as the context says, with ranks from 0 to one less.",
    { plugin, rank, size, processes },
  );
}

/** Plugins tap the gradients, of which each process has a part alone. */
export function gradientsShared(plugins: readonly string[]): ThawError {
  const names = [...new Set(plugins)];
  return make(
    "THAW_CORE_GRADIENTS_SHARED",
    `${nameList(names)} ${names.length === 1 ? "taps" : "tap"} the hook gradients, and with zero_stage 2 no process ` +
      "has them all. In training.optimizer.zero_stage. Use zero_stage 1, whose results are the same, or leave the " +
      "plugin out.",
    { plugins: names },
  );
}
