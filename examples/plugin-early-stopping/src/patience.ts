/** What the plugin remembers between evaluations; JSON, so that a checkpoint can hold it. */
export interface PatienceState {
  /** Lowest value so far. */
  readonly best?: number;
  readonly bestStep?: number;
  /** Evaluations in a row that were not better. */
  readonly worseCount: number;
}

export const INITIAL: PatienceState = { worseCount: 0 };

/** The state after one more evaluation. Lower is better by at least `minDelta`, or it does not count. */
export function observe(state: PatienceState, value: number, step: number, minDelta: number): PatienceState {
  if (state.best === undefined || value < state.best - minDelta) return { best: value, bestStep: step, worseCount: 0 };
  return { ...state, worseCount: state.worseCount + 1 };
}
