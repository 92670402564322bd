import type { Finding } from "@thaw/core";
import { findingsReport, sarifLog } from "@thaw/plugin-conflict-checker";
import { dirname, relative } from "node:path";
import { applyFixes } from "../config/apply-fixes.js";
import { evaluationSources } from "../config/data-section.js";
import { loadConfig, type LoadedConfig } from "../config/load-config.js";
import type { DataCheck } from "../planning/check-data.js";
import { planForeign, readForeignFile } from "../planning/plan-foreign.js";
import { isConfigRefused, planConfig } from "../planning/plan-stages.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { knownRules } from "../planning/rules.js";
import { wrap } from "../render/text.js";
import type { Terminal } from "../terminal/terminal.js";
import { ownVersion } from "../version.js";

/** Options of `thaw check`. */
export interface CheckOptions {
  readonly set: readonly string[];
  readonly data?: boolean;
  readonly fix?: boolean;
  readonly json?: boolean;
  readonly sarif?: boolean;
}

const MOST_ROUNDS = 5;

/**
 * Reports everything that is wrong or contradictory, in data as `data` looks at it. Returns 1 where one finding is an
 * error.
 */
export async function check(
  configPath: string | undefined,
  options: CheckOptions,
  terminal: Terminal,
  data?: DataCheck,
): Promise<number> {
  let { planning, folder } = await planAny(configPath, options, data);
  if (options.fix === true) {
    // One edit can bring the next finding to light: a key that was misspelt is read now.
    let rounds = 0;
    let fixed = await applyFixes(planning.findings);
    if (fixed.length === 0) terminal.err("No finding has a safe fix.");
    while (fixed.length > 0 && rounds++ < MOST_ROUNDS) {
      for (const { file, count } of fixed)
        terminal.err(`Fixed ${count === 1 ? "1 finding" : `${count} findings`} in ${file}.`);
      ({ planning, folder } = await planAny(configPath, options, data));
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
  /** What was looked at, and what was not; for people. */
  readonly scope: string;
}

/** Thaw's own config, or another tool's: then the same rules in its words. */
async function planAny(
  configPath: string | undefined,
  options: CheckOptions,
  data: DataCheck | undefined,
): Promise<{ planning: Checked; folder: string }> {
  const foreign = readForeignFile(configPath);
  if (foreign !== undefined) {
    const { planned, findings } = await planForeign(foreign);
    const scope = `Checked ${nameOf(foreign.file)}: settings alone, not the data.`;
    return { planning: { findings, isPlanned: planned !== undefined, scope }, folder: dirname(foreign.file) };
  }
  const config = await loadConfig(configPath, { set: options.set });
  const { runs, findings } = await planConfig(config);
  const inData: Finding[] = [];
  for (const { config: own, planning } of data === undefined ? [] : runs)
    inData.push(...(await data!.check(own, planning.planned?.model, data!.all)));
  return {
    planning: {
      findings: [...findings, ...new Map(inData.map((finding) => [finding.message, finding])).values()],
      isPlanned: runs.every(({ planning }) => planning.planned !== undefined),
      scope: scopeOf(
        config,
        runs.map((run) => run.config),
        data,
      ),
    },
    folder: config.folder,
  };
}

/** What was checked of a config, by its file's name. */
function scopeOf({ file }: LoadedConfig, runs: readonly LoadedConfig[], data: DataCheck | undefined): string {
  const name = file === undefined ? "the settings" : nameOf(file);
  if (data === undefined) return `Checked ${name}, not the data.`;
  if (runs.every((run) => run.data.train === undefined && Object.keys(evaluationSources(run)).length === 0))
    return `Checked ${name}; it names no data.`;
  return data.all
    ? `Checked ${name} and every sample of its data.`
    : `Checked ${name} and the first samples of its data; --data looks at every one.`;
}

function nameOf(file: string): string {
  const near = relative(process.cwd(), file);
  return near.startsWith("..") ? file : near;
}

function printFindings(planning: Checked, terminal: Terminal): void {
  const { colors, width } = terminal;
  for (const line of findingLines(planning.findings, { colors, folder: process.cwd(), width })) terminal.out(line);
  if (planning.findings.length > 0) terminal.out("");
  terminal.out(verdictLine(planning.findings, colors));
  for (const line of wrap(planning.scope, width)) terminal.out(colors.dim(line));
  if (!planning.isPlanned) terminal.out(colors.dim("What needs a checkpoint was not checked."));
  const fixable = planning.findings.filter(({ edit }) => edit !== undefined).length;
  if (fixable > 0)
    terminal.out(colors.dim(`${fixable === 1 ? "1 finding" : `${fixable} findings`} can be fixed with --fix.`));
}
