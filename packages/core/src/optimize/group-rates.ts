import type { GroupRates } from "../api/optimizer.js";
import type { ScheduleFactory } from "../schedules/schedule.js";
import type { PhaseGroup } from "../model/phase.js";
import type { LayerDepths } from "./layer-depth.js";
import type { ClipGroup } from "./clip.js";
import { scheduleFactor } from "../schedules/factor.js";

/** Learning rates of the groups at a step, by group name, after their schedules. */
export function learningRatesAt(
  groups: readonly PhaseGroup[],
  schedules: readonly ScheduleFactory[],
  step: number,
  totalSteps: number,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    groups.map(({ group }) => {
      const start = group.fromStep ?? 0;
      const own = Math.max(0, step - start);
      return [group.name, group.learningRate * scheduleFactor(group.schedule, schedules, own, totalSteps - start)];
    }),
  );
}

/** Rates by parameter name; only the weights of those in `decaying` decay, rates with the layers behind. */
export function ratesOf(
  groups: readonly PhaseGroup[],
  learningRates: Readonly<Record<string, number>>,
  { decaying, depths }: { readonly decaying: ReadonlySet<string>; readonly depths: Pick<LayerDepths, "behind"> },
): (name: string) => GroupRates {
  const rates = new Map<string, GroupRates>();
  for (const { group, names } of groups) {
    const { layerDecay = 1 } = group;
    for (const name of names) {
      const learningRate = learningRates[group.name]! * layerDecay ** depths.behind(name);
      rates.set(name, { learningRate, weightDecay: decaying.has(name) ? group.weightDecay : 0 });
    }
  }
  return (name) => rates.get(name)!;
}

/** Which gradients are clipped together: groups with a bound of their own apart, all others by the run's. */
export function clipGroups(groups: readonly PhaseGroup[], clipNorm: number | null): readonly ClipGroup[] {
  const own = groups
    .filter(({ group }) => group.clipNorm !== undefined)
    .map(({ group, names }): ClipGroup => ({ names, clipNorm: group.clipNorm! }));
  const shared = groups.filter(({ group }) => group.clipNorm === undefined).flatMap(({ names }) => names);
  return [{ names: shared, clipNorm }, ...own];
}
