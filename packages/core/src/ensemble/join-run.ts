import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";
import type { PlannedContext } from "../api/contexts.js";
import type { FoundCheckpoint } from "../checkpoint/read-checkpoint.js";
import { ALONE, type Ensemble } from "./ensemble.js";
import { compareRanks, digestOf } from "./same-start.js";
import { SharedStop } from "./shared-stop.js";
import { ensembleMissing, ensembleUnfit, lostBy } from "../errors/ensemble.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { joinHashes } from "../weights/fingerprint.js";
import { lastCalled } from "../run/tap-facts.js";
import type { TrainerParts } from "../run/trainer-parts.js";

/** What a run that joins others starts from. */
export interface RunToJoin {
  readonly parts: TrainerParts;
  readonly planned: PlannedContext;
  readonly checkpoint: FoundCheckpoint | undefined;
  /** What this process was told, if it was to stop. */
  readonly stopReason: () => string | undefined;
}

/** The processes that a run is part of, and whether they were told to stop. */
export interface JoinedRun {
  readonly ensemble: Ensemble;
  readonly stop: SharedStop;
}

/**
 * Connects a run with the other processes that it is to train with, and compares what they were started with.
 * On failure it has left them.
 * @throws THAW_CORE_ENSEMBLE_MISSING, THAW_CORE_ENSEMBLE_UNFIT, THAW_CORE_RANKS_DIFFER, THAW_CORE_RANK_LOST
 */
export async function joinRun({ parts, planned, checkpoint, stopReason }: RunToJoin): Promise<JoinedRun> {
  const ensemble = await connect(parts);
  try {
    await comparePlans(ensemble, parts, planned, checkpoint);
    const stop = new SharedStop(stopReason, ensemble);
    stop.hear(await ensemble.gather(stop.own ?? null));
    return { ensemble, stop };
  } catch (error) {
    await ensemble.close(lostBy(error, ensemble.rank));
    await ensemble.close();
    throw error;
  }
}

async function connect({ hooks, options, settings, watch }: TrainerParts): Promise<Ensemble> {
  const { processes = 1 } = options;
  if (processes === 1) return ALONE;
  const ensemble = await hooks.resolveEnsemble.promise({ processes, settings });
  if (ensemble === undefined) throw ensembleMissing(processes);
  const { rank, size } = ensemble;
  if (size === processes && rank >= 0 && rank < size) return ensemble;
  const error = ensembleUnfit(lastCalled(watch, "resolveEnsemble"), ensemble, processes);
  await ensemble.close({ rank, reason: error.message });
  await ensemble.close();
  throw error;
}

async function comparePlans(
  ensemble: Ensemble,
  { options, training }: TrainerParts,
  { planHash }: PlannedContext,
  checkpoint: FoundCheckpoint | undefined,
): Promise<void> {
  const { sampleCount, identity = {} } = options.data!.train!;
  const { version } = createRequire(import.meta.url)("../../package.json") as { readonly version: string };
  await compareRanks(ensemble, {
    "the version of Thaw": version,
    "the version of Node": process.version,
    "the version of TensorFlow.js": tf.version_core,
    "the plan's hash": planHash.slice(0, 12),
    seed: String(options.seed),
    ...Object.fromEntries(Object.entries(training).map(([key, value]) => [`training.${key}`, text(value)])),
    "samples of the training set": String(sampleCount),
    ...Object.fromEntries(Object.entries(identity).map(([what, hash]) => [`the data: ${what}`, hash.slice(0, 12)])),
    "steps done": String(checkpoint?.state.step ?? 0),
  });
}

/** Compares what ranks compute with, right before the first step. @throws THAW_CORE_RANKS_DIFFER */
export async function compareWeights(ensemble: Ensemble, loaded: LoadedModel, frozen: string): Promise<void> {
  if (ensemble.size === 1) return;
  await compareRanks(ensemble, {
    backend: loaded.backend.name,
    "the frozen weights": frozen.slice(0, 12),
    "the weights that train": await trainedFingerprint(loaded),
  });
}

/** Compares what ranks have trained. @throws THAW_CORE_RANKS_DIFFER */
export async function compareTrained(ensemble: Ensemble, loaded: LoadedModel): Promise<void> {
  if (ensemble.size === 1) return;
  await compareRanks(ensemble, { "the trained weights": await trainedFingerprint(loaded) });
}

async function trainedFingerprint({ runner }: LoadedModel): Promise<string> {
  const hashes = new Map<string, string>();
  for (const name of runner.phase.trained) hashes.set(name, await runner.store.hash(name, { isFresh: true }));
  return joinHashes(hashes).slice(0, 12);
}

function text(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > 40 ? digestOf(value) : json;
}
