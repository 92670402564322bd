import type { AfterStepContext } from "../api/contexts.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { BestState, RunState } from "../api/state.js";
import type { BestSummary } from "../api/summary.js";
import { bestOf, WatchedMetric, type Measured } from "../evaluation/directions.js";
import type { RunPart } from "../run/run-part.js";
import type { RunEvent } from "../stream/run-event.js";
import { exists } from "./run-folder.js";
import type { RunFiles } from "./run-files.js";

/** `training.keep.best`: knows after which step a metric was best, so that this checkpoint is made and stays. */
export class BestCheckpoint implements RunPart {
  readonly #files: RunFiles | undefined;
  readonly #watched: WatchedMetric | undefined;
  #step: number | undefined;
  #lastStep = 0;

  constructor(training: ResolvedTrainingOptions, measured: Measured, files: RunFiles | undefined) {
    const best = bestOf(training);
    this.#watched = best === undefined ? undefined : new WatchedMetric(best, measured);
    this.#files = files;
  }

  /** After so many steps the metric was best; undefined before it was measured between steps. */
  get step(): number | undefined {
    return this.#step;
  }

  record(event: RunEvent): void {
    // Before the first step there is nothing to save.
    if (event.event !== "evaluated" || event.step === 0) return;
    if (this.#watched?.observe(event.name, event.metrics)?.isBetter === true) this.#step = event.step;
  }

  afterStep({ step }: AfterStepContext): void {
    this.#lastStep = step + 1;
  }

  state(): { readonly best?: BestState } {
    const { evaluation, best } = this.#watched ?? {};
    if (evaluation === undefined || best === undefined || this.#step === undefined) return {};
    return { best: { evaluation, best, step: this.#step } };
  }

  /** A best checkpoint that lies in another run stays behind: this run looks for its own. */
  async restore({ best, step }: Pick<RunState, "best" | "step">): Promise<void> {
    this.#lastStep = step;
    if (best === undefined || this.#files === undefined) return;
    if (!(await exists(this.#files.checkpointFolder(best.step)))) return;
    this.#watched?.restore(best);
    this.#step = best.step;
  }

  summary(): { readonly best?: BestSummary } {
    const { metric, evaluation, best } = this.#watched ?? {};
    const step = this.#step;
    if (metric === undefined || evaluation === undefined || best === undefined || step === undefined) return {};
    const final = step === this.#lastStep ? this.#files?.finalFolder : undefined;
    const folder = final ?? this.#files?.checkpointFolder(step);
    return { best: { evaluation, metric, value: best, step, ...(folder === undefined ? {} : { folder }) } };
  }
}
