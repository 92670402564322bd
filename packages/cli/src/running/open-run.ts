import type { Logger, OpenRun } from "@thaw/core";
import { openConfiguredModel } from "../planning/plan-run.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import type { Terminal } from "../terminal/terminal.js";
import { sessionTrainer } from "./build-run.js";
import { openTarget, type Target } from "./run-folder.js";

/** How a run is opened. */
export interface OpenRunOptions {
  readonly backend?: string;
  /** It may name code. */
  readonly isTrusted?: boolean;
  /** Log lines are JSON. */
  readonly isJson?: boolean;
  readonly logLevel?: LogLevel;
  /** Told of what is fetched from the hub. */
  readonly terminal?: Terminal;
}

/** Opens the model of a target, with what trained in its place; the caller closes the session. */
export async function openSession(target: Target, logger: Logger): Promise<Pick<OpenRun, "trainer" | "session">> {
  const trainer = sessionTrainer(target.config, await openConfiguredModel(target.config), logger);
  const session = await trainer.open();
  try {
    if (target.trained !== undefined) await session.loadParameters(target.trained);
  } catch (error) {
    await session.close();
    throw error;
  }
  return { trainer, session };
}

/**
 * Opens a run, one of its checkpoints, or a bare checkpoint, with what trained in its place.
 * @throws THAW_CLI_NOT_A_RUN, THAW_CLI_RUN_NOT_FINISHED, THAW_CONFIG_UNTRUSTED
 */
export async function openRun(path: string, options: OpenRunOptions): Promise<OpenRun> {
  const { backend, isTrusted = false, isJson = false, logLevel = "warn", terminal } = options;
  const target = await openTarget(path, {
    backend,
    trust: isTrusted,
    ...(terminal === undefined ? {} : { terminal }),
  });
  const opened = await openSession(target, await createLogger(logLevel, { isJson }));
  return { ...opened, close: () => opened.session.close() };
}
