import { ThawError, type Finding, type Model } from "@thaw/core";
import { glanceAtSource } from "@thaw/data";
import { checkProcessorFiles } from "@thaw/models";
import { evaluationSources, trainingSource, type OpenedSetting, type SourceSetting } from "../config/data-section.js";
import { isRemote } from "../hub/hub-names.js";
import type { LoadedConfig } from "../config/load-config.js";
import { dataFolder, modelFolder, openConfiguredProcessor, openConfiguredSource } from "../running/build-run.js";

const MODEL_FIX = "Correct the model's path, or the files there.";

/** One data set of a config. */
interface NamedSet {
  /** Its key in the config: `train`, `evaluation.held`. */
  readonly path: string;
  readonly role: "train" | "evaluation";
  readonly setting: OpenedSetting;
}

/** How `thaw check` looks at data. */
export interface DataCheck {
  /** True for every sample, encoded as a run would; false for the first ones, as they are. */
  readonly all: boolean;
  readonly check: typeof checkData;
}

/**
 * What is wrong with the data of a config, and with the files of its `model` that turn it into numbers: paths, the
 * first samples and the files that these name; with `all` every sample, encoded as a run would, and the header of each
 * picture and sound. Without a model samples are not encoded.
 */
export async function checkData(
  config: LoadedConfig,
  model: Model | undefined,
  all: boolean,
): Promise<readonly Finding[]> {
  const formats = config.registry.all("formats");
  // What is not fetched yet cannot be looked at
  const isUnread = (one: unknown): boolean => isRemote(one as SourceSetting, formats);
  const sets = setsOf(config).filter(({ setting }) => ![setting.sets].flat().some(isUnread));
  const findings: Finding[] = [...unended(config)];
  const look = async (path: string, task: () => Promise<unknown>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      findings.push(dataFinding(config, path, error));
    }
  };
  const glance = async (): Promise<void> => {
    for (const { path, role, setting } of sets)
      for (const one of [setting.sets].flat())
        await look(`data.${path}`, () => glanceAtSource(one, { baseFolder: dataFolder(config), role, formats }));
  };
  if (sets.length === 0) return findings;
  const runs = model !== undefined && model.plansOnly !== true;
  if (runs) await look("model", () => checkProcessorFiles(modelFolder(config)));
  if (!all || !runs || findings.some(({ fix }) => fix === MODEL_FIX)) {
    await glance();
    return findings;
  }
  await look("model", async () => {
    const processor = await openConfiguredProcessor(config);
    for (const { path, role, setting } of sets)
      await look(`data.${path}`, async () =>
        (await openConfiguredSource(config, processor, role, setting, path, { looksAtAll: true })).close(),
      );
  });
  return findings;
}

function setsOf(config: LoadedConfig): readonly NamedSet[] {
  const { evaluation } = config.data;
  const isNamed = typeof evaluation === "object" && !("type" in evaluation);
  const held = Object.entries(evaluationSources(config))
    .filter(([, { part }]) => part === undefined)
    .map(([name, setting]): NamedSet => {
      return { path: isNamed ? `evaluation.${name}` : "evaluation", role: "evaluation", setting };
    });
  const train = trainingSource(config.data);
  return train === undefined ? held : [{ path: "train", role: "train", setting: train }, ...held];
}

/** A config that trains on something and never ends. */
function unended({ data, values, settings }: LoadedConfig): readonly Finding[] {
  const { epochs, maxSteps } = values.training;
  if (data.train === undefined || epochs !== undefined || maxSteps !== undefined) return [];
  return [
    {
      rule: "config",
      severity: "error",
      message: "The run has no end: training.epochs and training.max_steps are both missing.",
      fix: "Add training: { epochs: 1 }.",
      settings: settings.filter(({ path }) => path === "data.train" || path.startsWith("data.train.")).slice(0, 1),
    },
  ];
}

function dataFinding({ settings }: LoadedConfig, path: string, error: ThawError): Finding {
  return {
    rule: "config",
    severity: "error",
    message: error.message,
    fix: path === "model" ? MODEL_FIX : `Correct ${path}, or the files that it names.`,
    settings: settings.filter((setting) => setting.path === path || setting.path.startsWith(`${path}.`)),
  };
}
