import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { hasCheckpoint } from "../checkpoint/read-checkpoint.js";
import { exists, RunFolder } from "../checkpoint/run-folder.js";
import { FINAL_FOLDER, TRAINED_FILE } from "../checkpoint/write-checkpoint.js";
import { stagesNotFound } from "../errors/files.js";

/** Written when a staged run begins. */
export const STAGES_FILE = "stages.json";

/** What `stages.json` says of one stage. */
export interface StageRecord {
  readonly name: string;
  /** In the run folder; a stage that was begun anew without a checkpoint to go on from has `-2`, `-3` ... added. */
  readonly folder: string;
  readonly planHash: string;
  /** As its own run folder's `config.json`. */
  readonly config?: unknown;
}

/** A staged run on disk. */
export interface StagedRun {
  readonly folder: RunFolder;
  readonly stages: readonly StageRecord[];
}

/** How far a stage has come. */
export interface StageState {
  readonly state: "finished" | "begun" | "waiting";
  /** Its run folder: the one that holds its result, the one to go on in, or the one to make. */
  readonly folder: string;
}

/** Makes the folder of a staged run. @throws THAW_CORE_RUN_FOLDER_UNWRITABLE */
export async function createStagedRun(
  output: string,
  runName: string,
  stages: readonly StageRecord[],
): Promise<StagedRun> {
  const folder = await RunFolder.create(output, runName, new Date());
  try {
    await folder.writeJson(STAGES_FILE, { version: 1, stages });
  } catch (error) {
    await folder.discard();
    throw error;
  }
  return { folder, stages };
}

/**
 * Reads a staged run's folder. Stages lie in folders of it and nowhere else. @throws THAW_CORE_STAGES_NOT_FOUND where
 * it is none
 */
export async function readStagedRun(path: string): Promise<StagedRun> {
  const folder = new RunFolder(resolve(path), false);
  try {
    const { stages } = JSON.parse(await readFile(folder.file(STAGES_FILE), "utf8")) as {
      readonly stages: readonly StageRecord[];
    };
    for (const { name, folder: own } of stages)
      if (typeof name !== "string" || typeof own !== "string" || !/^\w[\w.-]*$/.test(own))
        throw new TypeError(
          `the folder of stage ${JSON.stringify(name)} is ${JSON.stringify(own)}, which is not a name`,
        );
    return { folder, stages: [...stages] };
  } catch (cause) {
    throw stagesNotFound(folder.path, cause);
  }
}

/** Finds out from its folders how far a stage has come: the file of its result, its checkpoints, nothing. */
export async function stageState(run: StagedRun, stage: StageRecord): Promise<StageState> {
  const path = (count: number): string => run.folder.file(count === 1 ? stage.folder : `${stage.folder}-${count}`);
  let count = 0;
  while (await exists(path(count + 1))) count += 1;
  if (count === 0) return { state: "waiting", folder: path(1) };
  const folder = path(count);
  if (await exists(trainedFile(folder))) return { state: "finished", folder };
  if (await hasCheckpoint(folder)) return { state: "begun", folder };
  return { state: "waiting", folder: path(count + 1) };
}

/** What a finished run's folder hands over. */
export function trainedFile(folder: string): string {
  return join(folder, FINAL_FOLDER, TRAINED_FILE);
}
