import { toCamelCase } from "@thaw/contracts";
import type { ResolvedTrainingOptions } from "../api/options.js";
import { bestOf } from "../evaluation/directions.js";

/** Minutes between checkpoints where nothing else is said. */
const DEFAULT_MINUTES = 15;
/** Checkpoints that stay where nothing else is said. */
const DEFAULT_KEEP = 2;

/** When a run saves, and how much of that stays. */
export interface Saving {
  readonly everySteps: number | undefined;
  readonly everyMinutes: number | undefined;
  /** At the end of each epoch but the one with which the run ends. */
  readonly atEpochs: boolean;
  /** Infinity: all. */
  readonly keep: number;
  /** One more stays, and is made when it is the best one. */
  readonly hasBest: boolean;
}

type SavingOptions = Pick<ResolvedTrainingOptions, "saveEverySteps" | "saveEveryMinutes" | "keep">;

/** Fills in the defaults that depend on each other: by time and epochs, the newest two, unless steps are asked for. */
export function savingOf({ saveEverySteps, saveEveryMinutes, keep }: SavingOptions): Saving {
  const isByDefault = saveEverySteps === undefined;
  const last = typeof keep === "object" ? keep.last : keep;
  const minutes = saveEveryMinutes === undefined && isByDefault ? DEFAULT_MINUTES : saveEveryMinutes;
  return {
    everySteps: saveEverySteps,
    everyMinutes: minutes ?? undefined,
    atEpochs: isByDefault && saveEveryMinutes !== null,
    keep: last ?? (isByDefault ? DEFAULT_KEEP : Number.POSITIVE_INFINITY),
    hasBest: bestOf({ keep }) !== undefined,
  };
}

/** When a run saves, as a sentence. */
export function savingText(options: SavingOptions): string {
  const { everySteps, everyMinutes, atEpochs, keep } = savingOf(options);
  const times = [
    ...(everySteps === undefined ? [] : [everySteps === 1 ? "after every step" : `every ${everySteps} steps`]),
    ...(everyMinutes === undefined ? [] : [everyMinutes === 1 ? "every minute" : `every ${everyMinutes} minutes`]),
    ...(atEpochs ? ["at the end of each epoch"] : []),
  ];
  const best = bestOf({ keep: options.keep });
  if (best !== undefined) times.push(`where ${toCamelCase(best.metric)} is better than ever`);
  if (times.length === 0) return "A checkpoint is saved where the run ends early, and no other.";
  const stay = Number.isFinite(keep) ? `the newest ${keep === 1 ? "one stays" : `${keep} stay`}` : "all stay";
  const also = best === undefined || !Number.isFinite(keep) ? "" : ", and the best one";
  return `Checkpoints are saved ${times.join(" and ")}, and where the run ends early; ${stay}${also}.`;
}
