import { findingsReport } from "@thaw/plugin-conflict-checker";
import { loadConfig } from "../load-config.js";
import { isRefused, planRun } from "../plan-run.js";
import { findingLines, verdictLine } from "../render/findings.js";
import type { Terminal } from "../terminal.js";

/** Options of `thaw check`. */
export interface CheckOptions {
  readonly set: readonly string[];
  readonly json?: boolean;
}

/** Reports everything that is wrong or contradictory. Returns 1 where one finding is an error. */
export async function check(configPath: string | undefined, options: CheckOptions, terminal: Terminal): Promise<number> {
  const config = await loadConfig(configPath, { set: options.set });
  const planning = await planRun(config);
  if (options.json === true) terminal.out(JSON.stringify(findingsReport(planning.findings)));
  else {
    const { colors, width } = terminal;
    for (const line of findingLines(planning.findings, { colors, folder: process.cwd(), width })) terminal.out(line);
    if (planning.findings.length > 0) terminal.out("");
    terminal.out(verdictLine(planning.findings, colors));
    if (planning.planned === undefined) terminal.out(colors.dim("The plan was not checked, because the config or the model has errors."));
  }
  return isRefused(planning) ? 1 : 0;
}
