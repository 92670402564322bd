import type { StopDecision } from "../api/contexts.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { RunState, StopRuleState } from "../api/state.js";
import type { RunPart } from "../run/run-part.js";
import type { EvaluatedEvent } from "../stream/metrics-line.js";
import type { RunEvent } from "../stream/run-event.js";

type Options = NonNullable<ResolvedTrainingOptions["stopWhen"]>;

/** `training.stopWhen`: looks at evaluations between steps and says when it is enough. */
export class StopRule implements RunPart {
  readonly #options: Options | undefined;
  #evaluation: string | undefined;
  #best: number | undefined;
  #since = 0;
  #decision: StopDecision | undefined;

  constructor(options: Options | undefined) {
    this.#options = options;
    this.#evaluation = options?.evaluation;
  }

  get decision(): StopDecision | undefined {
    return this.#decision;
  }

  record(event: RunEvent): void {
    if (event.event === "evaluated") this.observe(event);
  }

  state(): { readonly stopRule: StopRuleState } {
    return { stopRule: { evaluation: this.#evaluation, best: this.#best, since: this.#since } };
  }

  restore({ stopRule }: Pick<RunState, "stopRule">): void {
    if (stopRule === undefined) return;
    const { evaluation, best, since } = stopRule;
    this.#evaluation = evaluation;
    this.#best = best;
    this.#since = since;
  }

  /** An evaluation before the first step only sets what later ones must be better than. */
  observe({ name, metrics, step }: Pick<EvaluatedEvent, "name" | "metrics" | "step">): void {
    const options = this.#options;
    const value = options === undefined ? undefined : metrics[options.metric];
    if (options === undefined || value === undefined) return;
    this.#evaluation ??= name;
    if (this.#evaluation !== name) return;
    const isBetter =
      this.#best === undefined || (isLowerBetter(options.metric) ? value < this.#best : value > this.#best);
    this.#since = isBetter ? 0 : this.#since + 1;
    if (isBetter) this.#best = value;
    const what = `${options.metric} of ${name}`;
    if (step === 0) return;
    if (options.below !== undefined && value < options.below)
      this.#stop(`${what} is ${short(value)}, below ${options.below}`);
    else if (options.above !== undefined && value > options.above)
      this.#stop(`${what} is ${short(value)}, above ${options.above}`);
    else if (options.patience !== undefined && this.#since >= options.patience)
      this.#stop(
        `${what} has not become better than ${short(this.#best ?? value)} in ${this.#since} ` +
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

function isLowerBetter(metric: string): boolean {
  return /loss|error|perplexity/i.test(metric);
}
