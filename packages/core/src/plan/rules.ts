import { cutFinding, type Finding, type Rule } from "@thaw/contracts";
import type { RuleContext } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";

/**
 * All findings of the run: what taps reported while planning, what every handed-in rule finds, what `collectIssues`
 * adds, with texts of a length that a person reads; then through the `findings` waterfall, which may change severities.
 * Equal findings are kept once.
 */
export function collectFindings(
  hooks: TrainerHooks,
  reported: readonly Finding[],
  context: RuleContext,
): readonly Finding[] {
  const rules: Rule<RuleContext>[] = [];
  hooks.rules.call({
    add: (rule) => {
      rules.push(rule);
    },
  });
  const found = rules.flatMap((rule) => rule.check?.(context) ?? []);
  const issues: Finding[] = [];
  hooks.collectIssues.call(
    {
      report: (finding) => {
        issues.push(finding);
      },
    },
    context,
  );
  return hooks.findings.call(unique([...reported, ...found, ...issues]).map(cutFinding), context);
}

function unique(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Map(
    findings.map((finding) => [
      JSON.stringify([finding.rule, finding.message, finding.settings.map(({ path }) => path)]),
      finding,
    ]),
  );
  return [...seen.values()];
}
