import { dirname } from "node:path";
import {
  Trainer,
  type Evaluator,
  type Logger,
  type Model,
  type Plugin,
  type TrackerOptions,
  type TrainerOptions,
} from "@thaw/core";
import { openSource, type DataSource, type Processor, type SourceContext } from "@thaw/data";
import { openProcessor } from "@thaw/models";
import type { ChosenMetric } from "@thaw/plugin-captions";
import { evaluationSources, trainingSource, type OpenedSetting } from "../config/data-section.js";
import type { LoadedConfig } from "../config/load-config.js";
import { openConfiguredModel } from "../planning/plan-run.js";
import { lossMetricsOf } from "../evaluating/loss-metrics.js";
import { startFile } from "./run-folder.js";

/** A model with its processor and the data that a config names. The caller closes the sources. */
export interface Parts {
  readonly model: Model;
  readonly processor: Processor;
  readonly train?: DataSource;
  readonly evaluation: Readonly<Record<string, DataSource>>;
  /** What is measured on each evaluation set. */
  readonly metrics: Readonly<Record<string, readonly ChosenMetric[]>>;
  close(): Promise<void>;
}

/** The checkpoint folder that a config's `model` names. */
export function modelFolder(config: LoadedConfig): string {
  const { model } = config.values;
  return typeof model === "string" ? model : model.path;
}

/**
 * Where relative paths and packages of the data are looked up: the folder of the config that a run was started with.
 */
export function dataFolder(config: LoadedConfig): string {
  const source = (config.saved["$saved"] as { readonly file?: string } | undefined)?.file;
  return source === undefined ? config.folder : dirname(source);
}

/** Opens the processor of the model that a config names. `@throws THAW_MODEL_NO_PROCESSOR, THAW_CHECKPOINT_*`. */
export function openConfiguredProcessor(config: LoadedConfig): Promise<Processor> {
  return openProcessor(modelFolder(config), config.registry.all("families"));
}

/** Opens one data set as a config's `data` section would; `look` may ask for every sample. `@throws THAW_DATA_*`. */
export function openConfiguredSource(
  config: LoadedConfig,
  processor: Processor,
  role: "train" | "evaluation",
  { sets, part }: OpenedSetting,
  name: string,
  look: Pick<SourceContext, "looksAtAll"> = {},
): Promise<DataSource> {
  const { workers, mix, split, onError, tooLong, groupByLength } = config.data;
  const { maxLength } = config.values.training;
  return openSource(sets, {
    processor,
    baseFolder: dataFolder(config),
    role,
    name,
    formats: config.registry.all("formats"),
    tooLong,
    skips: onError === "skip",
    groupByLength: groupByLength && role === "train",
    ...(mix === undefined ? {} : { mix }),
    ...(split === undefined || part === undefined ? {} : { holdOut: { ...split, part } }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(workers === undefined ? {} : { workers }),
    ...look,
  });
}

/**
 * Opens model, processor and data. What was opened is closed again if something fails. `@throws THAW_CHECKPOINT_*,
 * THAW_MODEL_*, THAW_DATA_*`.
 */
export async function openParts(config: LoadedConfig): Promise<Parts> {
  const model = await openConfiguredModel(config);
  const processor = await openConfiguredProcessor(config);
  const opened: DataSource[] = [];
  const close = async (): Promise<void> => void (await Promise.all(opened.map((source) => source.close())));
  const open = async (role: "train" | "evaluation", setting: OpenedSetting, name: string): Promise<DataSource> => {
    const source = await openConfiguredSource(config, processor, role, setting, name);
    opened.push(source);
    return source;
  };
  try {
    const train = trainingSource(config.data);
    const training = train === undefined ? undefined : await open("train", train, "train");
    const evaluation: Record<string, DataSource> = {};
    const metrics: Record<string, readonly ChosenMetric[]> = {};
    for (const [name, setting] of Object.entries(evaluationSources(config))) {
      evaluation[name] = await open("evaluation", setting, name);
      metrics[name] = setting.metrics;
    }
    return { model, processor, ...(training === undefined ? {} : { train: training }), evaluation, metrics, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a command adds to a run. */
export interface RunExtras {
  readonly plugins: readonly Plugin[];
  readonly evaluators: readonly Evaluator[];
  readonly logger: Logger;
  readonly environment: Readonly<Record<string, string>>;
  readonly resume?: NonNullable<TrainerOptions["resume"]>;
}

/** The trainer's options that a config means. */
export async function trainerOptions(config: LoadedConfig, parts: Parts, extras: RunExtras): Promise<TrainerOptions> {
  const { model, training, output, runName, seed, trackers } = config.values;
  const startFrom =
    typeof model === "string" || model.startFrom === undefined ? undefined : await startFile(model.startFrom);
  return {
    model: parts.model,
    data: {
      ...(parts.train === undefined ? {} : { train: parts.train }),
      evaluation: parts.evaluation,
      lossMetrics: lossMetricsOf(parts.metrics),
    },
    plugins: [...config.plugins, ...extras.plugins],
    training,
    settings: config.settings,
    output,
    runName,
    seed,
    config: config.saved,
    logger: extras.logger,
    environment: extras.environment,
    evaluators: extras.evaluators,
    // Checked by the schema of what the config's plugins provide
    trackers: trackers as readonly TrackerOptions[],
    ...(startFrom === undefined ? {} : { startFrom }),
    ...(extras.resume === undefined ? {} : { resume: extras.resume }),
  };
}

/** A trainer without data, for a session that evaluates or captions: what training looks at is not measured there. */
export function sessionTrainer(
  config: LoadedConfig,
  model: Model,
  logger: Logger,
  plugins: readonly Plugin[] = [],
): Trainer {
  const { stopWhen: _stopWhen, keep: _keep, ...training } = config.values.training;
  return new Trainer({
    model,
    plugins: [...config.plugins, ...plugins],
    training,
    settings: config.settings,
    seed: config.values.seed,
    logger,
  });
}
