import { API_VERSION, type Plugin } from "../api/plugin.js";
import { agree, type Ensemble } from "../ensemble/ensemble.js";
import { compareRanks } from "../ensemble/same-start.js";
import { sumFor } from "../ensemble/sum-for.js";
import { RunFolder } from "../checkpoint/run-folder.js";
import type { StagedRun, StageRecord } from "./stages-file.js";

const PLUGIN = "StagesPlugin";

/** Has a stage train with processes that are connected already, and stay so for the stages behind it. */
export function trainsWith(ensemble: Ensemble): Plugin {
  const lasting: Ensemble = {
    rank: ensemble.rank,
    size: ensemble.size,
    sum: (tensors) => ensemble.sum(tensors),
    sumFor: (owner, tensors) => sumFor(ensemble, owner, tensors),
    advance: () => ensemble.advance?.(),
    gather: (value) => ensemble.gather(value),
    close: async (lost) => {
      if (lost !== undefined) await ensemble.close(lost);
    },
  };
  return {
    name: PLUGIN,
    apiVersion: API_VERSION,
    apply: ({ hooks }) => hooks.resolveEnsemble.tap(PLUGIN, () => lasting),
  };
}

/**
 * Compares the stages that ranks were started with, and gives all the run that rank 0 made or goes on with. @throws
 * THAW_CORE_RANKS_DIFFER, THAW_CORE_RANK_LOST and what `open` throws
 */
export async function shareRun(
  ensemble: Ensemble,
  stages: readonly StageRecord[],
  open: () => Promise<StagedRun>,
): Promise<StagedRun> {
  await compareRanks(ensemble, {
    "the stages": stages.map(({ name, planHash }) => `${name} ${planHash.slice(0, 12)}`).join(", "),
  });
  const own = ensemble.rank === 0 ? await open() : undefined;
  const told = await agree(ensemble, own && { path: own.folder.path, stages: own.stages });
  return own ?? { folder: new RunFolder(told!.path, false), stages: told!.stages };
}

/** Whether a rank was told to stop, on all ranks alike. @throws THAW_CORE_RANK_LOST */
export async function isAnyStopped(ensemble: Ensemble, reason: string | undefined): Promise<boolean> {
  return (await ensemble.gather(reason ?? null)).some((told) => told !== null);
}
