import { API_VERSION, definePlugin, type TrainerApi } from "@thaw/core";
import { z } from "zod";
import { INITIAL, observe, type PatienceState } from "./patience.js";

const PLUGIN_NAME = "EarlyStoppingPlugin";

const optionsSchema = z.strictObject({
  /** Name of the evaluation to watch, as under `data.evaluation`. */
  evaluation: z.string(),
  /** Metric of that evaluation; lower is better. */
  metric: z.string().default("loss"),
  /** Evaluations in a row without improvement after which the run stops. */
  patience: z.number().int().positive().default(3),
  /** An improvement smaller than this does not count. */
  minDelta: z.number().nonnegative().default(0),
});

export type EarlyStoppingOptions = z.input<typeof optionsSchema>;

/** Stops the run when an evaluation has not improved for `patience` evaluations. */
export default definePlugin<EarlyStoppingOptions, z.output<typeof optionsSchema>>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  configKey: "earlyStopping",
  optionsSchema,
  // It reads metrics and stops the run; it changes nothing that another plugin could change too.
  claims: { reads: ["metrics"] },
  apply(trainer, options) {
    const { hooks } = trainer;
    // One plugin may serve several trainers: what belongs to a run is kept by trainer.
    const states = new WeakMap<TrainerApi, PatienceState>();

    hooks.beforeRun.tap(PLUGIN_NAME, () => {
      if (!states.has(trainer)) states.set(trainer, INITIAL);
    });

    hooks.evaluated.tap(PLUGIN_NAME, ({ name, metrics, step }) => {
      const value = metrics[options.metric];
      if (name !== options.evaluation || value === undefined) return;
      states.set(trainer, observe(states.get(trainer) ?? INITIAL, value, step, options.minDelta));
    });

    hooks.shouldStop.tap(PLUGIN_NAME, () => {
      const { best, bestStep, worseCount } = states.get(trainer) ?? INITIAL;
      if (worseCount < options.patience) return undefined; // no opinion; false would be an answer
      return {
        stop: "run",
        reason:
          `${options.evaluation} ${options.metric} did not improve on ${best} (step ${bestStep}) in ${worseCount} ` +
          "evaluations",
      };
    });

    hooks.collectMetrics.tap(PLUGIN_NAME, (collector) => {
      collector.add("earlyStoppingWorseCount", states.get(trainer)?.worseCount ?? 0);
    });

    // A resumed run must decide as if it had never stopped: the state goes into the checkpoint and comes back.
    hooks.checkpoint.tap(PLUGIN_NAME, (state) => ({ ...state, [PLUGIN_NAME]: states.get(trainer) ?? INITIAL }));
    hooks.restored.tap(PLUGIN_NAME, (state) => {
      states.set(trainer, (state[PLUGIN_NAME] as PatienceState | undefined) ?? INITIAL);
    });

    hooks.done.tap(PLUGIN_NAME, (summary) => {
      const { best, bestStep } = states.get(trainer) ?? INITIAL;
      if (best !== undefined)
        summary.lines.push(`Best ${options.evaluation} ${options.metric}: ${best} at step ${bestStep}.`);
    });
  },
});
