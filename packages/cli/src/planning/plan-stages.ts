import { joinStageFindings } from "@thaw/config";
import { handoverFindings, type Finding, type PlannedStage } from "@thaw/core";
import { isError, type LoadedConfig, type LoadedStage } from "../config/load-config.js";
import { plannedConfig } from "../hub/planned-config.js";
import { planRun, type Planning } from "./plan-run.js";

/** One run that a config means: a stage, or all of it. */
export interface PlannedRun {
  /** Absent where the config has no stages. */
  readonly name?: string;
  /** With folders in place of names on the hub, as far as planning needs them. */
  readonly config: LoadedConfig;
  readonly planning: Planning;
}

/** A config's runs, planned. */
export interface ConfigPlanning {
  readonly runs: readonly PlannedRun[];
  /** Of all runs and of the config, each once. */
  readonly findings: readonly Finding[];
}

/** Plans the run that a config means, or all of its stages, without reading a weight or a sample. */
export async function planConfig(config: LoadedConfig): Promise<ConfigPlanning> {
  if (config.stages.length > 0) {
    const { runs, findings } = await planStages(config.stages);
    return { runs, findings: distinct([...config.findings, ...findings]) };
  }
  const run = await planOne(config);
  return { runs: [run], findings: run.planning.findings };
}

async function planOne(given: LoadedConfig): Promise<PlannedRun> {
  const { config, findings } = await plannedConfig(given);
  const planning = await planRun(config);
  return { config, planning: { ...planning, findings: [...planning.findings, ...findings] } };
}

/** Plans stages, and judges what one hands over to the next. */
export async function planStages(
  stages: readonly (Pick<LoadedStage, "name" | "config"> & Partial<LoadedStage>)[],
): Promise<ConfigPlanning> {
  const runs: (PlannedRun & { readonly name: string })[] = [];
  for (const { name, config } of stages) runs.push({ name, ...(await planOne(config)) });
  const joined = joinStageFindings(
    stages.map(({ name, own = [] }, index) => ({
      stage: { name, index, own },
      findings: runs[index]!.planning.findings,
    })),
  );
  const planned = runs.flatMap(({ name, planning }): readonly PlannedStage[] =>
    planning.planned === undefined ? [] : [{ name, planned: planning.planned }],
  );
  return { runs, findings: [...joined, ...handoverFindings(planned)] };
}

function distinct(findings: readonly Finding[]): readonly Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}

/** True if nothing of a config must start. */
export function isConfigRefused({ findings }: Pick<ConfigPlanning, "findings">): boolean {
  return findings.some(isError);
}
