import { basename, dirname, join } from "node:path";
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
  readonly #resumedFrom: string | undefined;
  #step: number | undefined;
  /** Of another run, where the best checkpoint lies. */
  #elsewhere: string | undefined;
  #lastStep = 0;

  /** `resumedFrom`: the checkpoint that the run goes on from, of this run or another one. */
  constructor(
    training: ResolvedTrainingOptions,
    measured: Measured,
    { files, resumedFrom }: { readonly files: RunFiles | undefined; readonly resumedFrom: string | undefined },
  ) {
    const best = bestOf(training);
    this.#watched = best === undefined ? undefined : new WatchedMetric(best, measured);
    this.#files = files;
    this.#resumedFrom = resumedFrom;
  }

  /** After so many steps the metric was best; undefined before it was measured between steps. */
  get step(): number | undefined {
    return this.#step;
  }

  record(event: RunEvent): void {
    // Before the first step there is nothing to save.
    if (event.event !== "evaluated" || event.step === 0) return;
    if (this.#watched?.observe(event.name, event.metrics)?.isBetter !== true) return;
    this.#step = event.step;
    this.#elsewhere = this.#isStart(event.step) ? this.#resumedFrom : undefined;
  }

  /** True of the state that a run in another folder starts with. */
  #isStart(step: number): boolean {
    const own = this.#files?.checkpointFolder(step);
    if (own === undefined || this.#resumedFrom === undefined || own === this.#resumedFrom) return false;
    return basename(own) === basename(this.#resumedFrom);
  }

  afterStep({ step }: AfterStepContext): void {
    this.#lastStep = step + 1;
  }

  state(): { readonly best?: BestState } {
    const { evaluation, best } = this.#watched ?? {};
    if (evaluation === undefined || best === undefined || this.#step === undefined) return {};
    const folder = this.#elsewhere;
    return { best: { evaluation, best, step: this.#step, ...(folder === undefined ? {} : { folder }) } };
  }

  /**
   * One that lies in the run from which this one was branched stays there, and is the one to beat while it is there.
   */
  async restore({ best, step }: Pick<RunState, "best" | "step">): Promise<void> {
    this.#lastStep = step;
    if (best === undefined || this.#files === undefined || this.#resumedFrom === undefined) return;
    const own = this.#files.checkpointFolder(best.step);
    const beside = join(dirname(this.#resumedFrom), basename(own));
    let folder: string | undefined;
    for (const one of [own, best.folder ?? beside]) if (folder === undefined && (await exists(one))) folder = one;
    if (folder === undefined) return;
    this.#watched?.restore(best);
    this.#step = best.step;
    this.#elsewhere = folder === own ? undefined : folder;
  }

  summary(): { readonly best?: BestSummary } {
    const { metric, evaluation, best } = this.#watched ?? {};
    const step = this.#step;
    if (metric === undefined || evaluation === undefined || best === undefined || step === undefined) return {};
    const final = step === this.#lastStep ? this.#files?.finalFolder : undefined;
    const folder = final ?? this.#elsewhere ?? this.#files?.checkpointFolder(step);
    return { best: { evaluation, metric, value: best, step, ...(folder === undefined ? {} : { folder }) } };
  }
}
