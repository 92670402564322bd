import type { StopDecision } from "../api/contexts.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { RunState, StopRuleState } from "../api/state.js";
import { WatchedMetric, type Measured } from "../evaluation/directions.js";
import type { RunPart } from "../run/run-part.js";
import type { EvaluatedEvent } from "../stream/metrics-line.js";
import type { RunEvent } from "../stream/run-event.js";

type Options = NonNullable<ResolvedTrainingOptions["stopWhen"]>;

/** `training.stopWhen`: looks at evaluations between steps and says when it is enough. */
export class StopRule implements RunPart {
  readonly #options: Options | undefined;
  readonly #watched: WatchedMetric | undefined;
  #since = 0;
  #decision: StopDecision | undefined;

  constructor(options: Options | undefined, measured: Measured) {
    this.#options = options;
    this.#watched = options === undefined ? undefined : new WatchedMetric(options, measured);
  }

  get decision(): StopDecision | undefined {
    return this.#decision;
  }

  record(event: RunEvent): void {
    if (event.event === "evaluated") this.observe(event);
  }

  state(): { readonly stopRule: StopRuleState } {
    const { evaluation, best } = this.#watched ?? {};
    return { stopRule: { evaluation, best, since: this.#since } };
  }

  restore({ stopRule }: Pick<RunState, "stopRule">): void {
    if (stopRule === undefined) return;
    this.#watched?.restore(stopRule);
    this.#since = stopRule.since;
  }

  /** An evaluation before the first step only sets what later ones must be better than. */
  observe({ name, metrics, step }: Pick<EvaluatedEvent, "name" | "metrics" | "step">): void {
    const [options, watched] = [this.#options, this.#watched];
    const observed = watched?.observe(name, metrics);
    if (options === undefined || watched === undefined || observed === undefined) return;
    const { value, isBetter } = observed;
    this.#since = isBetter ? 0 : this.#since + 1;
    const what = `${watched.metric} of ${name}`;
    if (step === 0) return;
    if (options.below !== undefined && value < options.below)
      this.#stop(`${what} is ${short(value)}, below ${options.below}`);
    else if (options.above !== undefined && value > options.above)
      this.#stop(`${what} is ${short(value)}, above ${options.above}`);
    else if (options.patience !== undefined && this.#since >= options.patience)
      this.#stop(
        `${what} has not become better than ${short(watched.best ?? value)} in ${this.#since} ` +
          `${this.#since === 1 ? "evaluation" : "evaluations"}`,
      );
  }

  #stop(reason: string): void {
    this.#decision ??= { stop: "run", reason };
  }
}

/** For people: four digits. */
function short(value: number): number {
  return Number(value.toPrecision(4));
}
