import type { RuleInfo } from "@thaw/core";
import { CONFIG_RULE, rulesOf } from "@thaw/plugin-conflict-checker";
import { Trainer } from "@thaw/core";
import { placeholderModel } from "@thaw/models";
import type { Plugin } from "@thaw/core";
import { BUILT_IN_PLUGINS } from "../config/load-config.js";

/** Every rule of the built-in plugins (and of `plugins`), once, with its docs. */
export function knownRules(plugins: readonly Plugin[] = []): readonly RuleInfo[] {
  const trainer = new Trainer({
    model: placeholderModel("no model"),
    plugins: [...BUILT_IN_PLUGINS.map((factory) => factory()), ...plugins],
  });
  const rules = new Map<string, RuleInfo>();
  for (const { id, defaultSeverity, summary, docs } of [CONFIG_RULE, ...rulesOf(trainer)]) {
    const known = rules.get(id);
    rules.set(id, { id, defaultSeverity, summary: known?.summary ?? summary, docs: known?.docs ?? docs });
  }
  return [...rules.values()];
}
