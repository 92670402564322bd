import type { Edit, Finding, RuleInfo, Severity, Setting } from "@thaw/core";

/** A finding of a rule, at the rule's own severity unless another is given. */
export function finding(
  rule: RuleInfo,
  parts: {
    readonly message: string;
    readonly fix: string;
    readonly settings: readonly Setting[];
    readonly severity?: Severity;
    readonly edit?: Edit;
  },
): Finding {
  const { message, fix, settings, severity = rule.defaultSeverity, edit } = parts;
  return { rule: rule.id, severity, message, fix, settings, ...(edit === undefined ? {} : { edit }) };
}

/** What an edit may touch: a setting of the user's own, in a file, in Thaw's words. */
export function editable(setting: Setting): { readonly file: string; readonly path: string } | undefined {
  if (setting.origin !== "explicit" || setting.file === undefined || setting.means !== undefined) return undefined;
  return { file: setting.file, path: setting.path };
}
