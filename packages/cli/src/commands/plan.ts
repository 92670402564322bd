import { diffPlans, planDiffTable, planReport } from "@thaw/core";
import { loadConfig } from "../load-config.js";
import { isRefused, planRun, type Planning } from "../plan-run.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { planLines } from "../render/plan.js";
import type { Terminal } from "../terminal.js";

/** Options of `thaw plan`. */
export interface PlanOptions {
  readonly set: readonly string[];
  readonly atStep?: number;
  /** Another config, to compare with. */
  readonly diff?: string;
  readonly json?: boolean;
}

/** Shows the trainability plan. Returns 1 where the run would be refused. */
export async function plan(configPath: string | undefined, options: PlanOptions, terminal: Terminal): Promise<number> {
  const config = await loadConfig(configPath, { set: options.set });
  const planning = await planRun(config);
  if (options.diff !== undefined) return diff(planning, await planRun(await loadConfig(options.diff, { set: [] })), options, terminal);
  const { planned, findings } = planning;
  const step = options.atStep ?? 0;
  const say = (line: string): void => (options.json === true ? terminal.err(line) : terminal.out(line));
  const colors = options.json === true ? terminal.errorColors : terminal.colors;
  if (options.json === true && planned !== undefined) terminal.out(JSON.stringify(planReport(planned, step)));
  if (options.json !== true && planned !== undefined) for (const line of planLines(planned, { colors, width: terminal.width, step })) say(line);
  if (options.json === true && findings.length === 0) return 0;
  if (planned !== undefined) say("");
  say(verdictLine(findings, colors));
  for (const line of findingLines(findings, { colors, folder: process.cwd(), width: terminal.width })) say(line);
  return isRefused(planning) ? 1 : 0;
}

/** What changes from the other config's plan to this one. Returns 1 where one of them cannot be planned, 0 otherwise. */
function diff(here: Planning, other: Planning, options: PlanOptions, terminal: Terminal): number {
  for (const planning of [here, other]) {
    if (planning.planned !== undefined && !isRefused(planning)) continue;
    for (const line of findingLines(planning.findings, { colors: terminal.errorColors, folder: process.cwd(), width: terminal.width })) terminal.err(line);
    return 1;
  }
  const differences = diffPlans(other.planned!.plan, here.planned!.plan);
  if (options.json === true) terminal.out(JSON.stringify({ differences }));
  else terminal.out(differences.length === 0 ? `The plans are the same (${here.planned!.planHash.slice(0, 12)}).` : planDiffTable(differences));
  return 0;
}
