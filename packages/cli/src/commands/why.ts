import { compiledPolicyOf } from "@thaw/plugin-freeze-policy";
import { nothingToExplain } from "../errors.js";
import { explain, nearestTargets, type Explanation } from "../explain.js";
import { loadConfig } from "../load-config.js";
import { planRun } from "../plan-run.js";
import { findingLines, settingPlace, verdictLine } from "../render/findings.js";
import { wrap } from "../render/text.js";
import type { Terminal } from "../terminal.js";

/** Options of `thaw why`. */
export interface WhyOptions {
  readonly set: readonly string[];
  readonly config?: string;
  readonly json?: boolean;
}

/** Says which setting decided about a parameter, a component or a setting, and what was overridden. @throws THAW_CLI_NOTHING_TO_EXPLAIN */
export async function why(target: string, options: WhyOptions, terminal: Terminal): Promise<number> {
  const config = await loadConfig(options.config, { set: options.set });
  const { planned, trainer, findings } = await planRun(config);
  const policy = trainer === undefined ? undefined : compiledPolicyOf(trainer);
  if (planned === undefined || policy === undefined) {
    const { errorColors: colors, width } = terminal;
    terminal.err(verdictLine(findings, colors));
    for (const line of findingLines(findings, { colors, folder: process.cwd(), width })) terminal.err(line);
    return 1;
  }
  const input = { planned, policy, settings: config.settings, replaced: config.replaced, defaults: config.defaults, findings };
  const explanations = explain(target, input);
  if (explanations === undefined) throw nothingToExplain(target, nearestTargets(target, input));
  if (options.json === true) terminal.out(JSON.stringify({ explanations: explanations.map(asData) }));
  else explanations.forEach((explanation, index) => print(explanation, index > 0, terminal));
  return 0;
}

function asData({ kind, name, answer, settings, overridden, facts }: Explanation): object {
  return { kind, name, answer, settings, overridden, facts: facts.map(([label, text]) => ({ label, text })) };
}

function print({ answer, settings, overridden, facts, findings }: Explanation, hasBefore: boolean, terminal: Terminal): void {
  const { colors, width } = terminal;
  const folder = process.cwd();
  if (hasBefore) terminal.out("");
  for (const line of wrap(answer, width)) terminal.out(colors.bold(line));
  for (const setting of settings) terminal.out(`  decided by  ${settingPlace(setting, folder)}`);
  for (const setting of overridden) terminal.out(colors.dim(`  overridden  ${settingPlace(setting, folder)}`));
  for (const [label, text] of facts) terminal.out(`  ${label.padEnd(10)}  ${text}`);
  if (findings.length > 0) terminal.out("");
  for (const line of findingLines(findings, { colors, folder, width })) terminal.out(line);
}
