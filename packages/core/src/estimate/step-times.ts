/** Steps of a stretch that tell how long it will take. */
export const TELLING_STEPS = 5;

/**
 * How long a stretch of equal steps takes, in ms, by its first steps: the first one as it was, since it brings what the
 * others find ready (compiled functions, filled caches), all others as the middle one of those after it (the lower of
 * two). NaN where nothing was measured.
 */
export function stretchMs(measuredMs: readonly number[], steps: number): number {
  if (steps === 0) return 0;
  const [first = Number.NaN, ...others] = measuredMs;
  const sorted = (others.length === 0 ? [first] : others).sort((left, right) => left - right);
  return first + (steps - 1) * sorted[Math.floor((sorted.length - 1) / 2)]!;
}

/** Steps alike: of one phase of the plan, and of pictures that are new or that the run has seen before. */
interface Stretch {
  readonly firstMs: number[];
  steps: number;
  totalMs: number;
}

/** Times of a run's steps, and what the first ones of each stretch said of them. */
export class StepTimes {
  readonly #stretches = new Map<string, Stretch>();

  /** Adds a step. `phaseStep`: the step that its phase begins with. */
  add(durationMs: number, { phaseStep, isNew }: { readonly phaseStep: number; readonly isNew: boolean }): void {
    const key = `${phaseStep} ${isNew}`;
    const stretch = this.#stretches.get(key) ?? { firstMs: [], steps: 0, totalMs: 0 };
    this.#stretches.set(key, stretch);
    if (stretch.firstMs.length < TELLING_STEPS) stretch.firstMs.push(durationMs);
    stretch.steps += 1;
    stretch.totalMs += durationMs;
  }

  get steps(): number {
    return [...this.#stretches.values()].reduce((sum, { steps }) => sum + steps, 0);
  }

  /** Steps that the estimate was made of. */
  get toldBy(): number {
    return [...this.#stretches.values()].reduce((sum, { firstMs }) => sum + firstMs.length, 0);
  }

  get measuredMs(): number {
    return [...this.#stretches.values()].reduce((sum, { totalMs }) => sum + totalMs, 0);
  }

  get estimatedMs(): number {
    return [...this.#stretches.values()].reduce((sum, { firstMs, steps }) => sum + stretchMs(firstMs, steps), 0);
  }
}
