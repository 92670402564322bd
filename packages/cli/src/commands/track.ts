import { chosenTrackers, lockRun, readStagedRun, stageState, trackerFolder } from "@thaw/core";
import type { LoadedConfig } from "../config/load-config.js";
import { loadRunConfig, loadStageConfigs } from "../running/run-config.js";
import { savedConfigWrong } from "../errors.js";
import { runFolderOf, stagedRunOf } from "../running/run-folder.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw track`. */
export interface TrackOptions {
  readonly trust?: boolean;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

/** Sends what a run's trackers wrote down because nobody took it. Returns 1 where something is left. */
export async function track(
  path: string,
  { trust, json, logLevel }: TrackOptions,
  terminal: Terminal,
): Promise<number> {
  const logger = await createLogger(logLevel, { isJson: json === true });
  const results: object[] = [];
  let isLeft = false;
  for (const { folder, config } of await runsOf(path, trust === true)) {
    const release = await lockRun(folder);
    try {
      for (const chosen of chosenTrackers(config.values.trackers, config.registry)) {
        const { name, factory, options } = chosen;
        const found = await factory.send?.(options, { folder: trackerFolder(folder, chosen), logger });
        if (found === undefined) continue;
        results.push({ run: folder, tracker: name, ...found });
        isLeft ||= found.left > 0;
        if (json !== true)
          terminal.out(
            found.left > 0
              ? `${name}: ${found.sent} sent, ${found.left} still waiting: ${found.reason}`
              : `${name}: ${found.sent === 0 ? "nothing waits" : `${found.sent} sent, nothing is left`}.`,
          );
      }
    } finally {
      await release();
    }
  }
  if (json === true) terminal.out(JSON.stringify({ trackers: results }));
  else if (results.length === 0) terminal.out("No tracker of this run sends anything.");
  return isLeft ? 1 : 0;
}

interface TrackedRun {
  readonly folder: string;
  readonly config: LoadedConfig;
}

/** The run of a folder, or its stages, with their configs. */
async function runsOf(path: string, isTrusted: boolean): Promise<readonly TrackedRun[]> {
  const options = { requires: "nothing", ...(isTrusted ? { trust: "all" as const } : {}) } as const;
  const staged = await stagedRunOf(path);
  if (staged === undefined) {
    const folder = await runFolderOf(path);
    return [checked({ folder, config: await loadRunConfig(folder, options) })];
  }
  const run = await readStagedRun(staged);
  const configs = await loadStageConfigs(staged, options);
  const stages = await Promise.all(run.stages.map((stage) => stageState(run, stage)));
  return stages.flatMap(({ state, folder }, index) =>
    state === "waiting" ? [] : [checked({ folder, config: configs[index]!.config })],
  );
}

function checked(run: TrackedRun): TrackedRun {
  if (run.config.hasErrors) throw savedConfigWrong(run.folder, run.config.findings);
  return run;
}
