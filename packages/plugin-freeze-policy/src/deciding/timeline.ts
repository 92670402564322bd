import type { Intent, Position } from "../intent/intent.js";

/** When a component's trainable parameters train: a pure function of the step. */
export interface Timeline {
  /** Steps at which the state changes, ascending; 0 is never one. */
  readonly edges: readonly number[];
  isActive(step: number): boolean;
  /**
   * First step of the stretch in which it starts to train after having been frozen; undefined if it trains from the
   * start.
   */
  readonly unfreezeStep?: number;
  readonly freezeStep?: number;
  /** True where a position in epochs could not be placed: that edge is left out. */
  readonly isUnplaced: boolean;
}

/** `stepsPerEpoch`: undefined where the training data is not known. Epoch positions are rounded to the nearest step. */
export function timelineOf(intent: Intent, stepsPerEpoch: number | undefined): Timeline {
  const place = (position: Position | undefined): number | undefined => {
    if (position === undefined) return undefined;
    if (position.unit === "step") return position.at;
    return stepsPerEpoch === undefined ? undefined : Math.round(position.at * stepsPerEpoch);
  };
  const unfreezeStep = place(intent.unfreezeAt);
  const freezeStep = place(intent.freezeAt);
  const isUnplaced =
    (intent.unfreezeAt !== undefined && unfreezeStep === undefined) ||
    (intent.freezeAt !== undefined && freezeStep === undefined);
  // An unfreeze that cannot be placed still means that the component starts frozen.
  const startsFrozen =
    intent.unfreezeAt !== undefined &&
    (freezeStep === undefined || unfreezeStep === undefined || unfreezeStep <= freezeStep);
  const isActive = (step: number): boolean => {
    let active = !startsFrozen;
    const changes = [
      [unfreezeStep, true],
      [freezeStep, false],
    ] as const;
    for (const [at, state] of changes.toSorted(([left], [right]) => (left ?? 0) - (right ?? 0)))
      if (at !== undefined && step >= at) active = state;
    return active;
  };
  const edges = [...new Set([unfreezeStep, freezeStep])]
    .filter((at): at is number => at !== undefined && at > 0)
    .sort((left, right) => left - right);
  return { edges, isActive, unfreezeStep: unfreezeStep === 0 ? undefined : unfreezeStep, freezeStep, isUnplaced };
}
