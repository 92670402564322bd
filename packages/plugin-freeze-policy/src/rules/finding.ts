import type { Finding, RuleInfo, Severity, Setting } from "@thaw/core";

/** A finding of a rule, at the rule's own severity unless another is given. */
export function finding(
  rule: RuleInfo,
  parts: { readonly message: string; readonly fix: string; readonly settings: readonly Setting[]; readonly severity?: Severity },
): Finding {
  return { rule: rule.id, severity: parts.severity ?? rule.defaultSeverity, message: parts.message, fix: parts.fix, settings: parts.settings };
}
