import { API_VERSION, definePlugin, type TrainerApi } from "@thaw/core";
import { z } from "zod";

/** Stands in every tap, error and log line. */
const PLUGIN_NAME = "MyPlugin";

const optionsSchema = z.strictObject({
  limit: z.number().positive().default(1).describe("A step is counted if its gradients are longer before clipping."),
});

export type MyPluginOptions = z.input<typeof optionsSchema>;

/** Counts the steps whose gradients are longer than `limit`. */
export default definePlugin<MyPluginOptions, z.output<typeof optionsSchema>>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  // Where its options stand in a config: my_plugin or myPlugin.
  configKey: "myPlugin",
  optionsSchema,
  // apply only taps: files, tensors and timers begin in the hook initialize, or later.
  apply(trainer, { limit }) {
    const { hooks } = trainer;
    // One plugin may serve several trainers: what belongs to a run is kept by trainer.
    const counts = new WeakMap<TrainerApi, number>();
    const count = (): number => counts.get(trainer) ?? 0;

    hooks.afterStep.tap(PLUGIN_NAME, ({ gradientNorm }) => {
      if (gradientNorm > limit) counts.set(trainer, count() + 1);
    });
    hooks.collectMetrics.tap(PLUGIN_NAME, (collector) => collector.add("my_plugin_long_steps", count()));
    hooks.done.tap(PLUGIN_NAME, (summary) => {
      summary.lines.push(`${count()} of ${summary.steps} steps had gradients longer than ${limit}.`);
    });

    // What a run remembers goes into its checkpoints, so that a resumed run goes on as if it had never stopped.
    hooks.checkpoint.tap(PLUGIN_NAME, (state) => ({ ...state, [PLUGIN_NAME]: count() }));
    hooks.restored.tap(PLUGIN_NAME, (state) => {
      counts.set(trainer, (state[PLUGIN_NAME] as number | undefined) ?? 0);
    });
  },
});
