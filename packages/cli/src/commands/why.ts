import { compiledPolicyOf } from "@thaw/plugin-freeze-policy";
import { nothingToExplain } from "../errors.js";
import { explain, nearestTargets, type ExplainInput, type Explanation } from "../planning/explain.js";
import { loadConfig } from "../config/load-config.js";
import { planConfig, type PlannedRun } from "../planning/plan-stages.js";
import { findingLines, settingPlace, verdictLine } from "../render/findings.js";
import { stageTitle, wrap } from "../render/text.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw why`. */
export interface WhyOptions {
  readonly set: readonly string[];
  readonly config?: string;
  readonly json?: boolean;
}

/**
 * Says which setting decided about a parameter, a component or a setting, and what was overridden. @throws
 * THAW_CLI_NOTHING_TO_EXPLAIN
 */
export async function why(target: string, options: WhyOptions, terminal: Terminal): Promise<number> {
  const { runs, findings } = await planConfig(await loadConfig(options.config, { set: options.set }));
  const inputs = runs.map(inputOf);
  if (inputs.includes(undefined)) {
    const { errorColors: colors, width } = terminal;
    terminal.err(verdictLine(findings, colors));
    for (const line of findingLines(findings, { colors, folder: process.cwd(), width })) terminal.err(line);
    return 1;
  }
  const answers = inputs.map((input) => explain(target, input!));
  if (answers.every((answer) => answer === undefined))
    throw nothingToExplain(target, nearestTargets(target, inputs[0]!));
  const all = answers.flatMap((explanations = [], run) =>
    explanations.map((explanation) => ({ stage: runs[run]!.name, run, explanation })),
  );
  if (options.json === true)
    terminal.out(JSON.stringify({ explanations: all.map(({ stage, explanation }) => asData(stage, explanation)) }));
  else {
    for (const [index, { stage, run, explanation }] of all.entries()) {
      if (index > 0) terminal.out("");
      if (stage !== undefined && all[index - 1]?.run !== run)
        terminal.out(terminal.colors.dim(stageTitle(stage, run, runs.length)));
      print(explanation, terminal);
    }
  }
  return 0;
}

/** What is known of a run's plan; undefined where there is none. */
function inputOf({ config, planning: { planned, trainer, findings } }: PlannedRun): ExplainInput | undefined {
  const policy = trainer === undefined ? undefined : compiledPolicyOf(trainer);
  return planned === undefined || policy === undefined
    ? undefined
    : { planned, policy, settings: config.settings, replaced: config.replaced, defaults: config.defaults, findings };
}

function asData(stage: string | undefined, { kind, name, answer, settings, overridden, facts }: Explanation): object {
  return {
    ...(stage === undefined ? {} : { stage }),
    kind,
    name,
    answer,
    settings,
    overridden,
    facts: facts.map(([label, text]) => ({ label, text })),
  };
}

function print({ answer, settings, overridden, facts, findings }: Explanation, terminal: Terminal): void {
  const { colors, width } = terminal;
  const folder = process.cwd();
  for (const line of wrap(answer, width)) terminal.out(colors.bold(line));
  for (const setting of settings) terminal.out(`  decided by  ${settingPlace(setting, folder)}`);
  for (const setting of overridden) terminal.out(colors.dim(`  overridden  ${settingPlace(setting, folder)}`));
  for (const [label, text] of facts) terminal.out(`  ${label.padEnd(10)}  ${text}`);
  if (findings.length > 0) terminal.out("");
  for (const line of findingLines(findings, { colors, folder, width })) terminal.out(line);
}
