import type { AfterStepContext } from "../api/contexts.js";
import type { TrainerParts } from "../run/trainer-parts.js";

/** Gathers what plugins measure of steps. What is not finite is left out, and told of once per metric. */
export class StepMetrics {
  readonly #parts: Pick<TrainerParts, "hooks" | "logger">;
  readonly #told = new Set<string>();

  constructor(parts: Pick<TrainerParts, "hooks" | "logger">) {
    this.#parts = parts;
  }

  collect(context: AfterStepContext): Readonly<Record<string, number>> {
    const metrics: Record<string, number> = {};
    const add = (name: string, value: number): void => {
      if (Number.isFinite(value)) metrics[name] = value;
      else if (!this.#told.has(name)) {
        this.#told.add(name);
        const text = `The metric ${name} of a plugin is ${value} at step ${context.step}: it is left out.`;
        this.#parts.logger.warn({ metric: name, step: context.step }, text);
      }
    };
    this.#parts.hooks.collectMetrics.call({ add }, context);
    return metrics;
  }
}
