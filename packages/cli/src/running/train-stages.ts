import { runStages, type ResumeOptions, type Stage, type StageOptions, type TrainerOptions } from "@thaw/core";
import { openParts } from "./build-run.js";
import type { LoadedConfig } from "../config/load-config.js";
import { RECORD_PLUGIN } from "../record/record-plugin.js";
import { stageTitle } from "../render/text.js";
import { finishRun, prepareRun, stoppedRun, type PreparedRun, type TrainContext } from "./train-run.js";

/** A stage to train. */
export interface StageToTrain {
  readonly name: string;
  readonly config: LoadedConfig;
}

/**
 * Trains the stages of a config one after the other. Models and data of all are opened and planned first. Returns 0, or
 * 130 where Ctrl-C stopped it. `@throws` what opening and running throws
 */
export async function trainStages(
  stages: readonly StageToTrain[],
  resume: ResumeOptions | undefined,
  context: TrainContext,
): Promise<number> {
  const { events, terminal, isJson, team } = context;
  const prepared = new Map<string, PreparedRun>();
  const { output, runName } = stages[0]!.config.values;
  const summary = await runStages({
    stages: stages.map((stage) => asStage(stage, prepared, context)),
    output,
    runName,
    ...(resume === undefined ? {} : { resume }),
    ...(team === undefined ? {} : { connect: () => team.connect() }),
    onStage: ({ name, index, count, trainer, isResumed, runFolder }) => {
      context.onTrainer(trainer);
      events.write("stage", { name, index, count, isResumed, runFolder });
      const title = stageTitle(name, index, count);
      if (!isJson)
        terminal.out(`${index === 0 ? "" : "\n"}${terminal.colors.bold(title)}${isResumed ? ", resumed" : ""}\n`);
    },
    afterStage: async ({ name }, result) => {
      if ((team?.rank ?? 0) === 0) await finishRun(prepared.get(name)!, result, context);
    },
  });
  const { runFolder } = summary;
  if (summary.isInterrupted) return stoppedRun(summary.stages.at(-1)!.summary!, runFolder, context);
  events.write("stages", {
    runFolder,
    stages: summary.stages.map(({ name, folder, summary: own }) => ({ name, folder, steps: own?.steps })),
  });
  if (!isJson) {
    for (const { name, folder, summary: own } of summary.stages)
      terminal.out(`${name}: ${own === undefined ? "finished before" : `${own.steps} steps`}, ${folder}`);
    terminal.out(`Run: ${runFolder}`);
  }
  return 0;
}

function asStage({ name, config }: StageToTrain, prepared: Map<string, PreparedRun>, context: TrainContext): Stage {
  return {
    name,
    open: async (purpose) => {
      const parts = await openParts(config);
      try {
        // The stages connect the processes, once for all
        const { team: _team, ...alone } = context;
        const run = await prepareRun(config, parts, alone);
        prepared.set(name, run);
        const options = withoutPlace(run.options);
        // The recorder prints the plan, which is wanted when the stage begins.
        const plugins = options.plugins?.filter(
          (plugin) => purpose === "run" || !plugin || plugin.name !== RECORD_PLUGIN,
        );
        return { options: { ...options, plugins }, close: () => parts.close() };
      } catch (error) {
        await parts.close();
        throw error;
      }
    },
  };
}

/** Where a stage writes is the staged run's matter. */
function withoutPlace({
  output: _output,
  runName: _runName,
  runFolder: _runFolder,
  resume: _resume,
  ...options
}: TrainerOptions): StageOptions {
  return options;
}
