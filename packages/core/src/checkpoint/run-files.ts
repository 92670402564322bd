import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs-core";
import { RunLogFiles } from "../stream/run-log-files.js";
import type { MetricsLine } from "../stream/metrics-line.js";
import type { RunEvent } from "../stream/run-event.js";
import { environmentFacts } from "../stream/environment.js";
import type { RunPart } from "../run/run-part.js";
import { lockRun } from "./run-lock.js";
import { jsonText, RunFolder } from "./run-folder.js";
import { checkRunSums, writeRunSums } from "./run-sums.js";
import type { RunState } from "../api/state.js";
import {
  checkpointName,
  FINAL_FOLDER,
  OPTIMIZER_FILE,
  STATE_FILE,
  TRAINED_FILE,
  writeFolder,
  writeState,
  writeTensors,
  type SavedTensor,
} from "./write-checkpoint.js";
import type { PlannedContext } from "../api/contexts.js";
import { planGraph } from "../plan/plan-graph.js";
import { planReport } from "../plan/plan-report.js";
import type { RunSummary } from "../api/summary.js";
import { runFacts } from "../model/loaded-model.js";
import type { TrainerParts } from "../run/trainer-parts.js";

/** What a run writes, into its folder. */
export class RunFiles implements RunPart {
  readonly folder: RunFolder;
  readonly #log: RunLogFiles;
  readonly #release: () => Promise<void>;
  #finalFolder: string | undefined;

  private constructor(folder: RunFolder, log: RunLogFiles, release: () => Promise<void>) {
    this.folder = folder;
    this.#log = log;
    this.#release = release;
  }

  /**
   * Makes the folder with `config.json` and `plan.json`, or goes on in one after `stepsDone` steps; undefined where the
   * options name no place. Nobody else writes there until it is closed.
   * @throws THAW_CORE_RUN_FOLDER_UNWRITABLE, THAW_CORE_RUN_LOCKED, THAW_CORE_RUN_FOLDER_LINKED,
   * THAW_SAFETENSORS_DAMAGED
   */
  static async open(
    parts: TrainerParts,
    planned: PlannedContext,
    continues: RunFolder | undefined,
    stepsDone: number,
  ): Promise<RunFiles | undefined> {
    const { output, runName = "run", runFolder } = parts.options;
    if (output === undefined && runFolder === undefined && continues === undefined) return undefined;
    const folder =
      continues ??
      (await (runFolder === undefined
        ? RunFolder.create(output ?? ".", runName, new Date())
        : RunFolder.createAt(runFolder)));
    let release = (): Promise<void> => Promise.resolve();
    try {
      release = await lockRun(folder.path);
      if (continues !== undefined) await checkRunSums(folder.path);
      await writeOnce(folder, "config", runFacts(parts).config, stepsDone);
      await writeOnce(
        folder,
        "plan",
        {
          ...planReport(planned),
          phases: planned.plan.phases.map(({ fromStep }) => fromStep),
          graph: planGraph(planned),
          findings: planned.findings,
        },
        stepsDone,
      );
      if (continues === undefined) await writeRunSums(folder.path);
      const environment = { ...environmentFacts(), ...parts.options.environment };
      return new RunFiles(folder, await RunLogFiles.open(folder, stepsDone, environment), release);
    } catch (error) {
      await release();
      await folder.discard();
      throw error;
    }
  }

  /** @throws THAW_CORE_RUN_FOLDER_UNWRITABLE */
  async record(event: RunEvent): Promise<void> {
    await this.#log.record(event);
  }

  /** Writes what a run that failed could not. @throws THAW_CORE_RUN_FOLDER_UNWRITABLE */
  async restore({ unwritten }: Pick<RunState, "unwritten">): Promise<void> {
    await this.lines(unwritten ?? []);
  }

  /** Where what trained is, once it is written. */
  get finalFolder(): string | undefined {
    return this.#finalFolder;
  }

  /** Lines that a run which failed could not write. @throws THAW_CORE_RUN_FOLDER_UNWRITABLE */
  async lines(lines: readonly MetricsLine[]): Promise<void> {
    for (const line of lines) await this.#log.measured(line);
  }

  /** Into the run's own place for it, or into another folder. @throws THAW_CORE_CHECKPOINT_UNWRITABLE */
  async checkpoint(
    state: RunState,
    trained: ReadonlyMap<string, Tensor>,
    slots: ReadonlyMap<string, SavedTensor>,
    place?: RunFolder,
  ): Promise<void> {
    const name = checkpointName(state.step);
    await writeFolder(place ?? this.folder, place === undefined ? name : basename(name), async (folder) => ({
      [TRAINED_FILE]: await writeTensors(join(folder, TRAINED_FILE), trained, { planHash: state.planHash }),
      [OPTIMIZER_FILE]: await writeTensors(join(folder, OPTIMIZER_FILE), slots),
      [STATE_FILE]: await writeState(folder, state),
    }));
  }

  /** @throws THAW_CORE_CHECKPOINT_UNWRITABLE */
  async final(trained: ReadonlyMap<string, Tensor>, planHash: string): Promise<void> {
    await writeFolder(this.folder, FINAL_FOLDER, async (folder) => ({
      [TRAINED_FILE]: await writeTensors(join(folder, TRAINED_FILE), trained, { planHash }),
    }));
    this.#finalFolder = this.folder.file(FINAL_FOLDER);
  }

  /** `summary.json`; that of an interrupted run is replaced when the run was resumed. */
  async writeSummary(summary: RunSummary): Promise<void> {
    await this.folder.writeJson("summary.json", summary);
  }

  /** Path of a checkpoint's folder. */
  checkpointFolder(step: number): string {
    return this.folder.file(checkpointName(step));
  }

  async close(): Promise<void> {
    await this.#log.close();
    await this.#release();
  }
}

/** Writes `name.json`; a resumed run leaves the first one and adds `name-step-<n>.json` where it differs. */
async function writeOnce(folder: RunFolder, name: string, value: unknown, stepsDone: number): Promise<void> {
  const before = await readFile(folder.file(`${name}.json`), "utf8").catch(() => undefined);
  if (before === undefined) return folder.writeJson(`${name}.json`, value);
  if (before !== jsonText(value)) await folder.writeJson(`${name}-step-${stepsDone}.json`, value);
}
