import {
  ThawError,
  Trainer,
  type BatchSource,
  type Evaluator,
  type Finding,
  type LossMetric,
  type Model,
  type PlanResult,
} from "@thaw/core";
import { openModel, placeholderModel } from "@thaw/models";
import {
  answerMetrics,
  answersBetter,
  answersName,
  choiceMetrics,
  choicesBetter,
  choicesName,
} from "@thaw/plugin-captions";
import { foreignFreezePolicy, thawVocabulary } from "@thaw/plugin-freeze-policy";
import { evaluationSources, trainingSource, type OpenedSetting, type SourceSetting } from "../config/data-section.js";
import { isError, type LoadedConfig } from "../config/load-config.js";
import { hubFinding, settingsOf } from "../hub/planned-config.js";
import { lossMetricsOf } from "../evaluating/loss-metrics.js";
import { startFile } from "../running/run-folder.js";

/** What `plan` and `check` find out. `planned` is absent where there is nothing to plan. */
export interface Planning {
  readonly planned?: PlanResult;
  /** That planned; what its plugins know of the plan is found by it. */
  readonly trainer?: Trainer;
  /** The config's findings and the plan's, all at once. */
  readonly findings: readonly Finding[];
}

/**
 * Opens the model that a config names, in its folder: headers only. `@throws THAW_HUB_*` where there is none,
 * `THAW_CHECKPOINT_*, THAW_SAFETENSORS_*`.
 */
export async function openConfiguredModel(config: LoadedConfig): Promise<Model> {
  const { modelError, hubName } = config;
  if (modelError !== undefined) throw modelError;
  const { model, seed } = config.values;
  const options = { seed, families: config.registry.all("families"), ...(hubName === undefined ? {} : { hubName }) };
  if (typeof model === "string") return openModel(model, options);
  const { path, initialize, components, ignored } = model;
  return openModel(path, {
    ...options,
    ...(initialize === undefined ? {} : { initialize }),
    ...(components === undefined ? {} : { components }),
    ...(ignored === undefined ? {} : { ignored }),
  });
}

/**
 * Plans a run without reading a weight or a sample. What is wrong with the model is a finding, as the config names it.
 */
export async function planRun(config: LoadedConfig): Promise<Planning> {
  let model: Model;
  try {
    model = await openConfiguredModel(config);
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    // The rules that need no checkpoint are run all the same.
    const placeholder = placeholderModel(modelName(config), declaredComponents(config));
    const isModelKnown = config.settings.some(({ path }) => path === "model" || path.startsWith("model."));
    return {
      findings: [
        ...config.findings,
        ...(isModelKnown ? [modelFinding(error, config)] : []),
        ...(await furtherFindings(placeholder, config)),
      ],
    };
  }
  if (!config.isPlannable) return { findings: [...config.findings, ...(await furtherFindings(model, config))] };
  const trainer = trainerOf(model, config);
  const planned = await trainer.plan();
  return { planned, trainer, findings: [...config.findings, ...planned.findings, ...(await startFindings(config))] };
}

/** What is wrong with the run that the model is to start from. */
async function startFindings({ values: { model }, settings }: LoadedConfig): Promise<readonly Finding[]> {
  if (typeof model === "string" || model.startFrom === undefined) return [];
  const given = settings.filter(({ path }) => /^model\.(start_from|startFrom)$/.test(path));
  return startFile(model.startFrom).then(
    () => [],
    (error: unknown) => {
      if (!(error instanceof ThawError)) throw error;
      return [
        {
          rule: "config",
          severity: "error",
          message: error.message,
          fix: "Correct the path, or leave it out.",
          settings: given,
        },
      ] satisfies Finding[];
    },
  );
}

/** What the rules find where the config or the model has errors: all that does not follow from those. */
async function furtherFindings(model: Model, config: LoadedConfig): Promise<readonly Finding[]> {
  const isFreezeRead = config.plugins.some(({ configKey }) => configKey === "freeze");
  if (isFreezeRead) return (await trainerOf(model, config).plan()).findings;
  // The section breaks its schema: its valid settings are judged by themselves.
  const wrong = config.findings.filter(isError).flatMap(({ settings }) => settings.map(({ path }) => path));
  const valid = config.settings.filter(
    ({ path }) => path.startsWith("freeze.") && !wrong.some((at) => path === at || path.startsWith(`${at}.`)),
  );
  const policy = foreignFreezePolicy(valid, thawVocabulary(config.settings));
  const { findings } = await trainerOf(model, { ...config, plugins: [policy, ...config.plugins] }).plan();
  // With settings missing, an empty plan may be their fault.
  return findings.filter(({ rule }) => rule !== "nothing-trains");
}

function trainerOf(model: Model, config: LoadedConfig): Trainer {
  const { plugins, settings } = config;
  return new Trainer({
    model,
    plugins,
    training: config.values.training,
    settings,
    data: unreadSources(config),
    evaluators: unreadEvaluators(config),
    seed: config.values.seed,
  });
}

/** True if a run must not start. */
export function isRefused({ findings }: Planning): boolean {
  return findings.some(isError);
}

/** What is wrong with the model; where the hub is not reached, a note. */
function modelFinding(error: ThawError, config: LoadedConfig): Finding {
  if (error === config.modelError) return hubFinding(error, "model", config);
  return {
    rule: "config",
    severity: "error",
    message: error.message,
    fix: "Correct the model's path, or the files there.",
    settings: settingsOf(config, "model"),
  };
}

function modelName({ values: { model } }: LoadedConfig): string {
  return typeof model === "string" ? model : model.path;
}

function declaredComponents({ values: { model } }: LoadedConfig): readonly string[] {
  return typeof model === "string" ? [] : Object.keys(model.components ?? {});
}

/** What evaluations will measure, for what looks at it. */
function unreadEvaluators(config: LoadedConfig): readonly Evaluator[] {
  return Object.entries(evaluationSources(config)).flatMap(([name, setting]) => {
    const [answers, choices] = [answerMetrics(setting.metrics), choiceMetrics(setting.metrics)];
    const evaluate = (): Promise<never> => Promise.reject(new Error("A planned evaluation measures nothing."));
    return [
      ...(answers.length === 0 ? [] : [{ name: answersName(name), better: answersBetter(answers), evaluate }]),
      ...(choices.length === 0 ? [] : [{ name: choicesName(name), better: choicesBetter(choices), evaluate }]),
    ];
  });
}

/** Stand-ins for data that nobody reads: the checker sees what settings say about it. */
function unreadSources(config: LoadedConfig): {
  readonly train?: BatchSource;
  readonly evaluation: Readonly<Record<string, BatchSource>>;
  readonly lossMetrics: Readonly<Record<string, readonly LossMetric[]>>;
} {
  const train = trainingSource(config.data);
  const sets = Object.entries(evaluationSources(config));
  const evaluation = sets.map(([name, setting]) => [name, unreadSource(name, setting)]);
  return {
    ...(train === undefined ? {} : { train: unreadSource("train", train) }),
    evaluation: Object.fromEntries(evaluation) as Readonly<Record<string, BatchSource>>,
    lossMetrics: lossMetricsOf(Object.fromEntries(sets.map(([name, { metrics }]) => [name, metrics]))),
  };
}

function unreadSource(name: string, { sets }: OpenedSetting): BatchSource {
  const all = (Array.isArray(sets) ? sets : [sets]) as readonly SourceSetting[];
  const changes = all.map((set) => (typeof set === "string" ? {} : (set.augment ?? {})));
  const augmentations = changes.flatMap(({ views: _views, ...kinds }) =>
    Object.entries(kinds).flatMap(([kind, value]) =>
      value === false || value === undefined || value === 0 ? [] : [kind],
    ),
  );
  const views = changes.every((change) => change.views !== undefined)
    ? Math.max(...changes.map((change) => change.views!))
    : undefined;
  return {
    name,
    sampleCount: Number.NaN,
    augmentations,
    ...(views === undefined ? {} : { views }),
    batches: () => {
      throw new Error("A planned source is not read.");
    },
    close: () => Promise.resolve(),
  };
}
