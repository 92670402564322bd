import type { PlanOptions } from "../commands/plan.js";
import { loadConfig } from "../config/load-config.js";
import { badOption } from "../errors.js";
import { fetchedConfig } from "../hub/fetched-config.js";
import { isConfigRefused, planConfig } from "../planning/plan-stages.js";
import { watchInterrupts } from "../processes/interrupt.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { stageTitle } from "../render/text.js";
import { createProgress, silentProgress } from "../terminal/progress.js";
import type { Terminal } from "../terminal/terminal.js";
import { forecast } from "./forecast.js";
import { forecastLines } from "./forecast-lines.js";
import { tryRun } from "./trial.js";

/** Options of `thaw plan --dry-run`. */
export type DryRunOptions = Pick<PlanOptions, "set" | "json" | "atStep" | "diff">;

/**
 * Tries the run that a config means on this machine, each stage where there are several, and says what it will need.
 * Nothing is written. Returns 1 where the run would be refused, and what is usual for a signal that ended it.
 */
export async function dryRun(
  configPath: string | undefined,
  { set, json: isJson = false, atStep, diff }: DryRunOptions,
  terminal: Terminal,
): Promise<number> {
  if (atStep !== undefined) throw badOption("--at-step", atStep, "no --dry-run beside it: that tries the first steps");
  if (diff !== undefined) throw badOption("--diff", diff, "no --dry-run beside it: that tries one config");
  const config = await loadConfig(configPath, { set, requires: "training" });
  const planning = await planConfig(config);
  const { errorColors, colors, width } = terminal;
  if (isConfigRefused(planning)) {
    for (const line of [
      verdictLine(planning.findings, errorColors),
      ...findingLines(planning.findings, { colors: errorColors, folder: process.cwd(), width }),
    ])
      terminal.err(line);
    return 1;
  }
  const stages = config.stages.length > 0 ? config.stages : [{ name: undefined, config }];
  const progress = isJson ? silentProgress() : await createProgress(terminal);
  const interrupts = watchInterrupts(terminal, () => {}, "Stopping; another Ctrl-C ends at once.");
  const told: object[] = [];
  try {
    for (const [index, { name, config: own }] of stages.entries()) {
      const fetched = await fetchedConfig(own, { terminal, isQuiet: isJson });
      const { trial, totalSteps, newSteps } = await tryRun(fetched, { progress, isStopping: interrupts.isInterrupted });
      if (interrupts.isInterrupted()) return interrupts.exitCode();
      const { evaluateEverySteps } = own.values.training;
      const length = { totalSteps, newSteps, ...(evaluateEverySteps === undefined ? {} : { evaluateEverySteps }) };
      const result = forecast(trial, length);
      told.push({ ...(name === undefined ? {} : { name }), totalSteps, ...result, trial });
      if (isJson) continue;
      if (index > 0) terminal.out("");
      if (name !== undefined) terminal.out(colors.bold(stageTitle(name, index, stages.length)));
      for (const line of forecastLines(trial, result, totalSteps, { colors, width })) terminal.out(line);
    }
  } finally {
    progress.end();
    interrupts.stop();
  }
  if (isJson) terminal.out(JSON.stringify(config.stages.length > 0 ? { stages: told } : told[0]));
  return 0;
}
