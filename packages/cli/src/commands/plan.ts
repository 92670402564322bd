import { diffPlans, planDiffTable, planReport } from "@thaw/core";
import { badOption } from "../errors.js";
import { loadConfig } from "../config/load-config.js";
import { isRefused } from "../planning/plan-run.js";
import { isConfigRefused, planConfig, type ConfigPlanning } from "../planning/plan-stages.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { planLines } from "../render/plan.js";
import { stageTitle } from "../render/text.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw plan`. */
export interface PlanOptions {
  readonly set: readonly string[];
  readonly atStep?: number;
  /** Another config, to compare with. */
  readonly diff?: string;
  /** Try the run, and say what it will need; neither a step nor another config goes with it. */
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/**
 * Shows the trainability plan, that of each stage where there are several. Returns 1 where the run would be refused.
 */
export async function plan(configPath: string | undefined, options: PlanOptions, terminal: Terminal): Promise<number> {
  const planning = await planConfig(await loadConfig(configPath, { set: options.set }));
  if (options.diff !== undefined)
    return diff(planning, await planConfig(await loadConfig(options.diff, { set: [] })), options, terminal);
  const { runs, findings } = planning;
  const step = options.atStep ?? 0;
  const planned = runs.flatMap(({ name, planning: { planned: result } }, index) =>
    result === undefined ? [] : [{ name, index, result }],
  );
  const say = (line: string): void => (options.json === true ? terminal.err(line) : terminal.out(line));
  const colors = options.json === true ? terminal.errorColors : terminal.colors;
  if (options.json === true && planned.length > 0) {
    const reports = planned.map(({ name, result }) => ({
      ...(name === undefined ? {} : { name }),
      ...planReport(result, step),
    }));
    terminal.out(JSON.stringify(runs[0]!.name === undefined ? reports[0] : { stages: reports }));
  } else {
    for (const { name, index, result } of planned) {
      if (index > 0) say("");
      if (name !== undefined) say(colors.bold(stageTitle(name, index, runs.length)));
      for (const line of planLines(result, { colors, width: terminal.width, step })) say(line);
    }
  }
  if (options.json === true && findings.length === 0) return 0;
  if (planned.length > 0) say("");
  say(verdictLine(findings, colors));
  for (const line of findingLines(findings, { colors, folder: process.cwd(), width: terminal.width })) say(line);
  return isConfigRefused(planning) ? 1 : 0;
}

/**
 * What changes from the other config's plan to this one, stage by stage. Returns 1 where one of them cannot be planned,
 * 0 otherwise.
 */
function diff(here: ConfigPlanning, other: ConfigPlanning, options: PlanOptions, terminal: Terminal): number {
  for (const { runs, findings } of [here, other]) {
    if (runs.every(({ planning }) => planning.planned !== undefined && !isRefused(planning))) continue;
    for (const line of findingLines(findings, {
      colors: terminal.errorColors,
      folder: process.cwd(),
      width: terminal.width,
    }))
      terminal.err(line);
    return 1;
  }
  if (here.runs.length !== other.runs.length)
    throw badOption(
      "--diff",
      options.diff,
      `a config with as many stages as this one (${here.runs.length}, not ${other.runs.length})`,
    );
  const results = here.runs.map(({ name, planning }, index) => ({
    name,
    hash: planning.planned!.planHash,
    differences: diffPlans(other.runs[index]!.planning.planned!.plan, planning.planned!.plan),
  }));
  const isStaged = here.runs[0]!.name !== undefined;
  if (options.json === true) {
    terminal.out(
      JSON.stringify(
        isStaged
          ? { stages: results.map(({ name, differences }) => ({ name, differences })) }
          : { differences: results[0]!.differences },
      ),
    );
    return 0;
  }
  for (const [index, { name, hash, differences }] of results.entries()) {
    if (isStaged) terminal.out(terminal.colors.bold(stageTitle(name!, index, results.length)));
    terminal.out(
      differences.length === 0 ? `The plans are the same (${hash.slice(0, 12)}).` : planDiffTable(differences),
    );
  }
  return 0;
}
