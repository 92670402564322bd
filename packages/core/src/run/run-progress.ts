import type { AfterStepContext } from "../api/contexts.js";
import type { RunTotals } from "../api/state.js";

/** What a run has added up: losses, tokens and times, with those of the run that it goes on from. */
export class RunProgress {
  readonly #before: RunTotals | undefined;
  readonly #startMs = performance.now();
  #firstLoss: number | undefined;
  #lastLoss: number | undefined;
  #tokens: number;
  #hasTrained = false;

  constructor(before: RunTotals | undefined) {
    this.#before = before;
    this.#firstLoss = before?.firstLoss;
    this.#lastLoss = before?.lastLoss;
    this.#tokens = before?.tokens ?? 0;
  }

  /** True once this run, not the one before it, made a step. */
  get hasTrained(): boolean {
    return this.#hasTrained;
  }

  /** Adds a finished step. */
  step({ loss, tokens }: AfterStepContext): void {
    this.#hasTrained = true;
    this.#firstLoss ??= loss;
    this.#lastLoss = loss;
    this.#tokens += tokens;
  }

  /** The sums now. `computeMs` and `peakTensorBytes` are this run's own. */
  totals(computeMs: number, peakTensorBytes: number): RunTotals {
    const before = this.#before;
    return {
      ...before,
      ...(this.#firstLoss === undefined ? {} : { firstLoss: this.#firstLoss }),
      ...(this.#lastLoss === undefined ? {} : { lastLoss: this.#lastLoss }),
      tokens: this.#tokens,
      durationMs: (before?.durationMs ?? 0) + performance.now() - this.#startMs,
      trainingMs: (before?.trainingMs ?? 0) + computeMs,
      peakTensorBytes: Math.max(before?.peakTensorBytes ?? 0, peakTensorBytes),
    };
  }
}
