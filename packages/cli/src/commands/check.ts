import type { Finding } from "@thaw/core";
import { findingsReport, sarifLog } from "@thaw/plugin-conflict-checker";
import { dirname } from "node:path";
import { applyFixes } from "../config/apply-fixes.js";
import { loadConfig } from "../config/load-config.js";
import { planForeign, readForeignFile } from "../planning/plan-foreign.js";
import { isConfigRefused, planConfig } from "../planning/plan-stages.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { knownRules } from "../planning/rules.js";
import type { Terminal } from "../terminal/terminal.js";
import { ownVersion } from "../version.js";

/** Options of `thaw check`. */
export interface CheckOptions {
  readonly set: readonly string[];
  readonly fix?: boolean;
  readonly json?: boolean;
  readonly sarif?: boolean;
}

const MOST_ROUNDS = 5;

/** Reports everything that is wrong or contradictory. Returns 1 where one finding is an error. */
export async function check(
  configPath: string | undefined,
  options: CheckOptions,
  terminal: Terminal,
): Promise<number> {
  let { planning, folder } = await planAny(configPath, options);
  if (options.fix === true) {
    // One edit can bring the next finding to light: a key that was misspelt is read now.
    let rounds = 0;
    let fixed = await applyFixes(planning.findings);
    if (fixed.length === 0) terminal.err("No finding has a safe fix.");
    while (fixed.length > 0 && rounds++ < MOST_ROUNDS) {
      for (const { file, count } of fixed)
        terminal.err(`Fixed ${count === 1 ? "1 finding" : `${count} findings`} in ${file}.`);
      ({ planning, folder } = await planAny(configPath, options));
      fixed = await applyFixes(planning.findings);
    }
  }
  if (options.sarif === true)
    terminal.out(
      JSON.stringify(sarifLog(planning.findings, knownRules(), { toolVersion: ownVersion(), folder }), null, 2),
    );
  else if (options.json === true) terminal.out(JSON.stringify(findingsReport(planning.findings)));
  else printFindings(planning, terminal);
  return isConfigRefused(planning) ? 1 : 0;
}

interface Checked {
  readonly findings: readonly Finding[];
  /** False where something was not checked, as no checkpoint is there. */
  readonly isPlanned: boolean;
}

/** Thaw's own config, or another tool's: then the same rules in its words. */
async function planAny(
  configPath: string | undefined,
  options: CheckOptions,
): Promise<{ planning: Checked; folder: string }> {
  const foreign = readForeignFile(configPath);
  if (foreign !== undefined) {
    const { planned, findings } = await planForeign(foreign);
    return { planning: { findings, isPlanned: planned !== undefined }, folder: dirname(foreign.file) };
  }
  const config = await loadConfig(configPath, { set: options.set });
  const { runs, findings } = await planConfig(config);
  return {
    planning: { findings, isPlanned: runs.every(({ planning }) => planning.planned !== undefined) },
    folder: config.folder,
  };
}

function printFindings(planning: Checked, terminal: Terminal): void {
  const { colors, width } = terminal;
  for (const line of findingLines(planning.findings, { colors, folder: process.cwd(), width })) terminal.out(line);
  if (planning.findings.length > 0) terminal.out("");
  terminal.out(verdictLine(planning.findings, colors));
  if (!planning.isPlanned) terminal.out(colors.dim("What needs a checkpoint was not checked."));
  const fixable = planning.findings.filter(({ edit }) => edit !== undefined).length;
  if (fixable > 0)
    terminal.out(colors.dim(`${fixable === 1 ? "1 finding" : `${fixable} findings`} can be fixed with --fix.`));
}
