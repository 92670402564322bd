import type { AfterStepContext } from "../api/contexts.js";
import type { RunTotals } from "../api/state.js";
import type { RunPart } from "./run-part.js";

/** What a run has added up: losses, tokens and times, with those of the run that it goes on from. */
export class RunProgress implements RunPart {
  readonly #before: RunTotals | undefined;
  readonly #now: () => Pick<RunTotals, "trainingMs" | "peakTensorBytes">;
  readonly #startMs = performance.now();
  #firstLoss: number | undefined;
  #lastLoss: number | undefined;
  #tokens: number;
  #hasTrained = false;

  /** `now`: time in forward, backward and update, and the most bytes in tensors so far, of this run alone. */
  constructor(before: RunTotals | undefined, now: () => Pick<RunTotals, "trainingMs" | "peakTensorBytes">) {
    this.#now = now;
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

  state(): { readonly totals: RunTotals } {
    return { totals: this.#totals() };
  }

  summary(): { readonly totals: RunTotals } {
    return { totals: this.#totals() };
  }

  #totals(): RunTotals {
    const before = this.#before;
    const { trainingMs, peakTensorBytes } = this.#now();
    return {
      ...before,
      ...(this.#firstLoss === undefined ? {} : { firstLoss: this.#firstLoss }),
      ...(this.#lastLoss === undefined ? {} : { lastLoss: this.#lastLoss }),
      tokens: this.#tokens,
      durationMs: (before?.durationMs ?? 0) + performance.now() - this.#startMs,
      trainingMs: (before?.trainingMs ?? 0) + trainingMs,
      peakTensorBytes: Math.max(before?.peakTensorBytes ?? 0, peakTensorBytes),
    };
  }
}
