import { nearestNames, type Finding, type RuleInfo, type Setting, type Severity } from "@thaw/core";
import { quotedSetting } from "./settings.js";

/** A severity as users write it. */
export type RuleLevel = "off" | Severity;

const RANK: Readonly<Record<Severity, number>> = { note: 0, warning: 1, error: 2 };

/**
 * Findings with the severities that the user set. A finding at its rule's own severity takes the set one; a milder
 * finding of the rule (a note of an error rule) keeps its severity unless the set one is milder still. `off` drops
 * both.
 */
export function applySeverities(
  findings: readonly Finding[],
  rules: readonly RuleInfo[],
  levels: Readonly<Record<string, RuleLevel>>,
): readonly Finding[] {
  const defaults = new Map(rules.map(({ id, defaultSeverity }) => [id, defaultSeverity]));
  return findings.flatMap((finding) => {
    const level = levels[finding.rule];
    if (level === undefined) return [finding];
    if (level === "off") return [];
    const isUsual = finding.severity === (defaults.get(finding.rule) ?? finding.severity);
    const severity = isUsual || RANK[level] < RANK[finding.severity] ? level : finding.severity;
    return [{ ...finding, severity }];
  });
}

/** A severity set for a rule that nobody handed in: an error of the rule `config` with the nearest id. */
export function unknownRules(
  levels: Readonly<Record<string, RuleLevel>>,
  known: readonly string[],
  settings: readonly Setting[],
): readonly Finding[] {
  return Object.keys(levels)
    .filter((id) => !known.includes(id))
    .map((id) => {
      const setting = settings.find(({ path }) => path.split(".").at(-1) === id);
      const nearest = nearestNames(id, known, 1)[0];
      return {
        rule: "config",
        severity: "error",
        message: `There is no rule ${id}, but a severity is set for it.`,
        fix:
          `${nearest === undefined ? "The rules are listed in docs/rules" : `Write ${nearest}`}, or remove ` +
          `${setting === undefined ? "the key" : quotedSetting(setting)}.`,
        settings: setting === undefined ? [] : [setting],
        ...(nearest === undefined || setting?.file === undefined || setting.origin !== "explicit"
          ? {}
          : { edit: { action: "rename", file: setting.file, path: setting.path, name: nearest } }),
      };
    });
}
