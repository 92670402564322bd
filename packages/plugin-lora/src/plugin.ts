import { join } from "node:path";
import { API_VERSION, definePlugin, everTrained, FINAL_FOLDER, type Setting, type TrainerApi } from "@thaw/core";
import { adapterOf } from "./adapters/adapter.js";
import { AdapterScope } from "./adapters/adapter-scope.js";
import { noAdapters, resumeMismatch } from "./errors.js";
import { ADAPTER_FILE_UNUSABLE } from "./planning/findings.js";
import { mergedWeight } from "./adapters/merge.js";
import { loraSectionSchema, type LoraSectionOptions, type ResolvedLoraSection } from "./options.js";
import { exportAdapter } from "./peft/export-adapter.js";
import { writePeft } from "./peft/peft-export.js";
import { exists, readPeftHeader } from "./peft/peft-folder.js";
import { planAdapters, type AdapterPlan } from "./planning/plan-adapters.js";

export const PLUGIN_NAME = "LoraPlugin";

/** Folder of the adapter in a run's final folder. */
export const ADAPTER_FOLDER = "adapter";

/** The adapters of each trainer that planned. */
const planned = new WeakMap<TrainerApi, AdapterPlan>();

/**
 * Low-rank adapters (Hu et al., arXiv:2106.09685) over frozen components. What they are is asked for by `lora` in
 * `freeze.components`; the section `lora` says where they come from and go to. Without such a request the plugin
 * changes nothing.
 */
export const lora = definePlugin<LoraSectionOptions | undefined, ResolvedLoraSection>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  configKey: "lora",
  optionsSchema: loraSectionSchema,
  provides: { commands: [exportAdapter(saveAdapter)] },
  claims: { reads: ["requests"], writes: ["parameters", "scope", "exported", "adapters"], exclusive: ["adapters"] },
  apply(trainer, options, settings) {
    const { hooks } = trainer;
    const adapters = (): AdapterPlan["adapters"] => planned.get(trainer)?.adapters ?? new Map();
    hooks.rules.tap(PLUGIN_NAME, (collector) => {
      collector.add(ADAPTER_FILE_UNUSABLE);
    });
    hooks.parameters.tapPromise(PLUGIN_NAME, async (parameters, { model, requests, report }) => {
      const { adapter: folder } = options;
      const from = folder === undefined ? undefined : { folder, header: await readPeftHeader(folder) };
      const plan = planAdapters({ model, parameters, requests, from, settings: adapterSettings(settings) }, report);
      planned.set(trainer, plan);
      return plan.parameters;
    });
    hooks.scope.tap(PLUGIN_NAME, (scope, context) => {
      const plan = planned.get(trainer);
      if (plan === undefined || plan.adapters.size === 0) return scope;
      return new AdapterScope(scope, { ...plan, seed: trainer.options.seed ?? 0 }, context);
    });
    hooks.exported.tapPromise(PLUGIN_NAME, async (values, { parameter, readParameter }) => {
      const adapter = adapterOf(parameter.name, adapters());
      return adapter === undefined ? values : mergedWeight(values, adapter, readParameter);
    });
    hooks.checkpoint.tapPromise(PLUGIN_NAME, async (state) =>
      adapters().size === 0 ? state : { ...state, [PLUGIN_NAME]: { scaling: scalings(adapters()) } },
    );
    hooks.restored.tapPromise(PLUGIN_NAME, async (state) => {
      checkScalings(state[PLUGIN_NAME], adapters());
    });
    hooks.done.tapPromise(PLUGIN_NAME, async (summary, { runFolder, readParameter }) => {
      if (adapters().size === 0 || !options.save || runFolder === undefined || summary.isInterrupted) return;
      const folder = join(runFolder, FINAL_FOLDER, ADAPTER_FOLDER);
      // A finished run that is resumed keeps what it wrote, as core keeps the rest of the folder
      if (await exists(folder)) return;
      const omitted = await saveAdapter(trainer, folder, { readParameter });
      summary.lines.push(`Adapter in PEFT's layout: ${folder}.`);
      if (omitted.length > 0)
        summary.lines.push(
          `Not in the adapter, as PEFT's layout has no place for them: ${omitted.join(", ")}. They are in ` +
            "trained.safetensors.",
        );
    });
  },
});

/**
 * Writes a trainer's adapters in PEFT's layout, with the modules that train whole beside them. `source` is a session of
 * the trainer, or a run's context. Returns trained parameters that the layout cannot hold.
 * @throws THAW_LORA_NO_ADAPTERS, THAW_LORA_FOLDER_EXISTS, THAW_LORA_FOLDER_UNWRITABLE
 */
export async function saveAdapter(
  trainer: TrainerApi,
  folder: string,
  source: { readonly readParameter: (name: string) => Promise<Float32Array> },
): Promise<readonly string[]> {
  const { plan } = await trainer.plan();
  const adapters = [...(planned.get(trainer)?.adapters.values() ?? [])];
  if (adapters.length === 0) throw noAdapters(folder);
  return writePeft(folder, {
    model: trainer.options.model,
    adapters,
    trained: everTrained(plan.phases),
    readParameter: (name) => source.readParameter(name),
  });
}

function adapterSettings(settings: readonly Setting[]): readonly Setting[] {
  return settings.filter(({ path }) => path.split(".").at(-1) === "adapter");
}

function scalings(adapters: AdapterPlan["adapters"]): Readonly<Record<string, number>> {
  return Object.fromEntries([...adapters].map(([module, { scaling }]) => [module, scaling]));
}

function checkScalings(state: unknown, adapters: AdapterPlan["adapters"]): void {
  const before = (state as { readonly scaling?: Readonly<Record<string, number>> } | undefined)?.scaling ?? {};
  const differences = [...adapters]
    .filter(([module, { scaling }]) => before[module] !== undefined && before[module] !== scaling)
    .map(([module, { scaling }]) => `${module} by ${before[module]} then, ${scaling} now`);
  if (differences.length > 0) throw resumeMismatch(differences.slice(0, 3));
}
