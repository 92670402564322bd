import { API_VERSION, Trainer, type Plugin, type TrainerOptions } from "@thaw/core";
import { memory } from "@tensorflow/tfjs-core";
import { notConforming } from "./errors.js";
import { withoutLeak } from "./leak-guard.js";
import { providedFault } from "./provided.js";
import { watchPlugin, type PluginWatch } from "./tap-watch.js";
import { onlyFolder, withTempFolder } from "./temp-folder.js";
import { runDifference, runTiny, tinyTrainerOptions } from "./training-run.js";

export interface ConformanceOptions {
  /**
   * Options of the tiny trainer that the plugin runs in; called anew for each run. Plugins in it are applied before it.
   */
  readonly trainer?: () => Partial<TrainerOptions>;
  /** How far a resumed run may be from one that never stopped; default 1e-6. */
  readonly tolerance?: number;
}

/** One check, for any test runner: `for (const { name, run } of conformance(make)) test(name, run)`. */
export interface ConformanceCheck {
  readonly name: string;
  /** Rejects with THAW_TESTING_NOT_CONFORMING or THAW_TESTING_TENSORS_LEAKED. */
  readonly run: () => Promise<void>;
}

/**
 * What every plugin has to keep, on a real run of the tiny model. `make` gives a new plugin each time. A TensorFlow.js
 * backend must be current.
 */
export function conformance(make: () => Plugin, options: ConformanceOptions = {}): readonly ConformanceCheck[] {
  const base = (): TrainerOptions => tinyTrainerOptions(options.trainer?.() ?? {});
  const withPlugins = (plugins: readonly Plugin[], more: Partial<TrainerOptions> = {}): TrainerOptions => {
    const given = base();
    return { ...given, ...more, plugins: [...(given.plugins ?? []), ...plugins] };
  };
  const fail = (check: string, plugin: Plugin, found: string, advice: string): never => {
    throw notConforming(check, plugin.name, found, advice);
  };
  const check = (
    name: string,
    run: (plugin: Plugin, fails: (found: string, advice: string) => never) => unknown,
  ): ConformanceCheck => ({
    name,
    run: async () => {
      const plugin = make();
      await run(plugin, (found, advice) => fail(name, plugin, found, advice));
    },
  });
  return [
    check("has a name and the current API version", (plugin, fails) => {
      if (plugin.name === "") fails("The plugin's name is empty.", "Give it a name such as EarlyStoppingPlugin.");
      if (plugin.apiVersion !== API_VERSION)
        fails(
          `The plugin's API version is ${plugin.apiVersion}, this is ${API_VERSION}.`,
          "Use API_VERSION of @thaw/core.",
        );
    }),
    check("tells of what it provides, and refuses options that it does not know", (plugin, fails) => {
      const fault = providedFault(plugin);
      if (fault !== undefined) fails(fault.found, fault.advice);
    }),
    check("only taps in apply, under its own name", (plugin, fails) =>
      judgeApply(plugin, watchedApply(plugin, withPlugins), fails),
    ),
    check("claims everything that it changes", async (plugin, fails) => {
      const { plugin: watched, watch } = watchPlugin(plugin);
      await withTempFolder((output) =>
        runTiny(withPlugins([watched], { output, training: { ...base().training, saveEverySteps: 1 } })),
      );
      const claimed = new Set([...(plugin.claims?.writes ?? []), ...(plugin.claims?.exclusive ?? [])]);
      const missing = [...watch.writes].filter((name) => !claimed.has(name));
      if (missing.length > 0)
        fails(
          `It changes ${missing.join(", ")} without claiming so.`,
          `Add ${missing.map((name) => `"${name}"`).join(", ")} to claims.writes.`,
        );
      const foreign = [...watch.stateKeys].filter((key) => key !== plugin.name);
      if (foreign.length > 0)
        fails(
          `It writes the checkpoint state of ${foreign.join(", ")}.`,
          `Keep its state under its own name, "${plugin.name}".`,
        );
    }),
    check("leaks no tensor", (plugin) =>
      withoutLeak(() => runTiny(withPlugins([plugin])), `a run with ${plugin.name}`),
    ),
    check("serves two trainers with one instance", async (plugin, fails) => {
      const alone = await runTiny(withPlugins([make()]));
      const [first, second] = await Promise.all([runTiny(withPlugins([plugin])), runTiny(withPlugins([plugin]))]);
      const difference = Math.max(runDifference(alone, first), runDifference(alone, second));
      if (difference > 0)
        fails(
          `Two trainers that share it differ from one that does not, by ${difference}.`,
          "Keep what belongs to a run in the closure of apply, or in a WeakMap keyed by the trainer.",
        );
    }),
    check("resumes as if it had never stopped", async (plugin, fails) => {
      const whole = await runTiny(withPlugins([plugin]));
      if (whole.steps < 2) return;
      const stopAt = Math.floor(whole.steps / 2) - 1;
      const resumed = await withTempFolder(async (output) => {
        const first = await runTiny(withPlugins([make()], { output, runName: "conformance" }), stopAt);
        const folder = await onlyFolder(output);
        const rest = await runTiny(withPlugins([make()], { output, resume: { from: folder } }));
        return { ...rest, losses: [...first.losses, ...rest.losses] };
      });
      const difference = runDifference(whole, resumed);
      if (difference > (options.tolerance ?? 1e-6))
        fails(
          `A resumed run differs from one that never stopped, by ${difference}.`,
          "Save what it remembers in the checkpoint hook and take it back in restored.",
        );
    }),
  ];
}

function watchedApply(
  plugin: Plugin,
  withPlugins: (plugins: readonly Plugin[]) => TrainerOptions,
): { readonly watch: PluginWatch; readonly tensors: number; readonly resources: number } {
  const before = { tensors: memory().numTensors, resources: process.getActiveResourcesInfo().length };
  const { plugin: watched, watch } = watchPlugin(plugin);
  void new Trainer(withPlugins([watched]));
  return {
    watch,
    tensors: memory().numTensors - before.tensors,
    resources: process.getActiveResourcesInfo().length - before.resources,
  };
}

function judgeApply(
  plugin: Plugin,
  { watch, tensors, resources }: ReturnType<typeof watchedApply>,
  fails: (found: string, advice: string) => never,
): void {
  const later = "Do that in the initialize hook or later.";
  if (watch.applied !== undefined) fails("apply returns something, a promise perhaps.", later);
  if (tensors !== 0) fails(`apply made ${tensors} tensors.`, later);
  if (resources > 0) fails(`apply started ${resources} timers, files or requests.`, later);
  if (watch.calledInApply.length > 0)
    fails(`apply called the hooks ${watch.calledInApply.join(", ")}.`, "Only the trainer calls hooks.");
  const misnamed = watch.taps.filter((tap) => tap.name !== plugin.name);
  if (misnamed.length > 0)
    fails(
      `Taps are named ${misnamed.map((tap) => `${tap.name} (${tap.hook})`).join(", ")}.`,
      `Name every tap ${plugin.name}: errors and timings are told by it.`,
    );
  const placed = watch.taps.filter((tap) => tap.before !== undefined);
  if (placed.length > 0)
    fails(
      `Taps on ${placed.map((tap) => tap.hook).join(", ")} use "before".`,
      "Use a stage: a name that is absent moves a tap to the very front.",
    );
}
