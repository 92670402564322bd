import { ThawError, Trainer, type BatchSource, type Finding, type Model, type PlanResult } from "@thaw/core";
import { openModel } from "@thaw/models";
import { evaluationSources, type SourceSetting } from "./data-section.js";
import { isError, type LoadedConfig } from "./load-config.js";

/** What `plan` and `check` find out. `planned` is absent where there is nothing to plan. */
export interface Planning {
  readonly planned?: PlanResult;
  /** The config's findings and the plan's, all at once. */
  readonly findings: readonly Finding[];
}

/** Opens the model that a config names: headers only. `@throws THAW_CHECKPOINT_*, THAW_SAFETENSORS_*`. */
export async function openConfiguredModel(config: LoadedConfig): Promise<Model> {
  const { model, seed } = config.values;
  if (typeof model === "string") return openModel(model, { seed });
  const { path, initialize, components, ignored } = model;
  return openModel(path, { seed, ...(initialize === undefined ? {} : { initialize }), ...(components === undefined ? {} : { components }), ...(ignored === undefined ? {} : { ignored }) });
}

/** Plans a run without reading a weight or a sample. What is wrong with the model is a finding, as the config names it. */
export async function planRun(config: LoadedConfig): Promise<Planning> {
  if (!config.isPlannable) return { findings: config.findings };
  let model: Model;
  try {
    model = await openConfiguredModel(config);
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    return { findings: [...config.findings, modelFinding(error, config)] };
  }
  const planned = await new Trainer({
    model,
    plugins: config.plugins,
    training: config.values.training,
    settings: config.settings,
    data: unreadSources(config),
    seed: config.values.seed,
  }).plan();
  return { planned, findings: [...config.findings, ...planned.findings] };
}

/** True if a run must not start. */
export function isRefused({ findings }: Planning): boolean {
  return findings.some(isError);
}

function modelFinding(error: ThawError, config: LoadedConfig): Finding {
  const settings = config.settings.filter(({ path }) => path === "model" || path.startsWith("model."));
  return { rule: "config", severity: "error", message: error.message, fix: "Correct the model's path, or the files there.", settings };
}

/** Stand-ins for data that nobody reads: the checker sees what settings say about it. */
function unreadSources(config: LoadedConfig): { readonly train?: BatchSource; readonly evaluation: Readonly<Record<string, BatchSource>> } {
  const { train } = config.data;
  const evaluation = Object.entries(evaluationSources(config.data)).map(([name, setting]) => [name, unreadSource(name, setting)]);
  return { ...(train === undefined ? {} : { train: unreadSource("train", train) }), evaluation: Object.fromEntries(evaluation) as Readonly<Record<string, BatchSource>> };
}

function unreadSource(name: string, setting: SourceSetting): BatchSource {
  const augment = typeof setting === "string" ? {} : (setting.augment ?? {});
  const augmentations = Object.entries(augment).filter(([, value]) => value !== false && value !== undefined && value !== 0).map(([kind]) => kind);
  return {
    name, sampleCount: Number.NaN, augmentations,
    batches: () => { throw new Error("A planned source is not read."); },
    close: () => Promise.resolve(),
  };
}
