import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { bytesText, elementCount } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import type { Logger } from "../api/logger.js";
import { diskTooSmall } from "../errors/files.js";
import { everTrained } from "../plan/plan.js";
import { savingOf, savingText } from "./saving.js";

const FLOAT_BYTES = 4;

/** Bytes that a run is going to write, as far as the plan tells: values are 4 bytes, other files are estimated. */
export interface SpaceNeed {
  /** One checkpoint: what trains, the optimizer's slots, and the state with the plan. */
  readonly checkpointBytes: number;
  readonly finalBytes: number;
  /** What is certainly there at one time: what trained, and one checkpoint where steps or epochs ask for any. */
  readonly leastBytes: number;
  /** The same with every checkpoint that stays, and the next one before the oldest goes. */
  readonly mostBytes: number;
}

/** Bytes free for the user where `folder` lies or would be made; undefined if that cannot be told. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  for (let place = resolve(folder); ; place = dirname(place)) {
    try {
      const { bavail, bsize, blocks } = await statfs(place);
      // Some network and user-space file systems tell nothing
      return blocks === 0 ? undefined : bavail * bsize;
    } catch {
      if (dirname(place) === place) return undefined;
    }
  }
}

/** What a run under a plan writes. */
export function spaceNeed(
  { plan, parameters, training, stepsPerEpoch, optimizer }: PlannedContext,
  totalSteps: number,
): SpaceNeed {
  const names = everTrained(plan.phases);
  const trained = parameters.filter(({ name }) => names.has(name));
  const finalBytes = trained.reduce((sum, { shape }) => sum + FLOAT_BYTES * elementCount(shape), 0);
  const slotBytes = trained.reduce((sum, parameter) => sum + optimizer.slotBytes(parameter), 0);
  const checkpointBytes = finalBytes + slotBytes + JSON.stringify(plan).length;
  const { everySteps, everyMinutes, atEpochs, keep, hasBest } = savingOf(training);
  const bySteps = everySteps === undefined ? 0 : Math.floor(totalSteps / everySteps);
  const byEpochs = atEpochs && stepsPerEpoch !== undefined ? Math.ceil(totalSteps / stepsPerEpoch) - 1 : 0;
  const certain = Math.max(bySteps, byEpochs);
  const count = Math.max(certain, everyMinutes === undefined ? 0 : Math.min(keep + 1, totalSteps - 1, 3));
  return {
    checkpointBytes,
    finalBytes,
    leastBytes: finalBytes + (certain > 0 ? checkpointBytes : 0),
    mostBytes: finalBytes + (Math.min(count, keep + 1) + (hasBest ? 1 : 0)) * checkpointBytes,
  };
}

/**
 * Compares what a run writes with what is free where it writes, and says when checkpoints are saved. Without a folder
 * nothing is written.
 * @throws THAW_CORE_DISK_TOO_SMALL if not even what is certainly written has room
 */
export async function checkSpace(
  folder: string | undefined,
  planned: PlannedContext,
  totalSteps: number,
  logger: Logger,
): Promise<void> {
  if (folder === undefined) return;
  const need = spaceNeed(planned, totalSteps);
  const free = await freeBytes(folder);
  if (free !== undefined && free < need.leastBytes) throw diskTooSmall(folder, need.leastBytes, free);
  const each = `One takes some ${bytesText(need.checkpointBytes)}`;
  const place = free === undefined ? "" : `; ${bytesText(free)} are free`;
  logger.info({ ...need, free, folder }, `${savingText(planned.training)} ${each}${place}.`);
  if (free !== undefined && free < need.mostBytes)
    logger.warn(
      { needed: need.mostBytes, free, folder },
      `The checkpoints of this run take up to ${bytesText(need.mostBytes)}, and ${bytesText(free)} are free in ` +
        `${folder}. Make room, or keep fewer of them (training.keep).`,
    );
}
