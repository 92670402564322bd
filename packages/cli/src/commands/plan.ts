import { planReport } from "@thaw/core";
import { loadConfig } from "../load-config.js";
import { isRefused, planRun } from "../plan-run.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { planLines } from "../render/plan.js";
import type { Terminal } from "../terminal.js";

/** Options of `thaw plan`. */
export interface PlanOptions {
  readonly set: readonly string[];
  readonly atStep?: number;
  readonly json?: boolean;
}

/** Shows the trainability plan. Returns 1 where the run would be refused. */
export async function plan(configPath: string | undefined, options: PlanOptions, terminal: Terminal): Promise<number> {
  const config = await loadConfig(configPath, { set: options.set });
  const planning = await planRun(config);
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
