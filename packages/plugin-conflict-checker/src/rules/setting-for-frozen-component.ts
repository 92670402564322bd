import { toSnakeCase, type Finding, type Rule, type RuleContext, type Setting } from "@thaw/core";
import { componentFacts, type ComponentFacts } from "../plan-facts.js";
import { describeSetting, normalPath, quotedSetting, settingsUnder } from "../settings.js";

/**
 * Settings of `training.components` for components that no phase trains. The freeze policy reports adapters under the
 * same id.
 */
export const settingForFrozenComponent: Rule<RuleContext> = {
  id: "setting-for-frozen-component",
  defaultSeverity: "error",
  summary: "A learning rate, weight decay, schedule, clip or adapter is set for a component that is frozen.",
  check(context) {
    const facts = componentFacts(context);
    return settingsUnder(context.settings, ["training", "components"]).flatMap((setting): readonly Finding[] => {
      const component = normalPath(setting)[2] ?? "";
      const found = [...facts.values()].find(({ name }) => toSnakeCase(name) === component);
      return found === undefined || found.trains || setting.origin === "default"
        ? []
        : [frozenComponent(setting, found)];
    });
  },
};

function frozenComponent(setting: Setting, { name, settings }: ComponentFacts): Finding {
  const frozenBy = settings[0];
  const isDefault = frozenBy === undefined || frozenBy.origin === "default";
  return {
    rule: "setting-for-frozen-component",
    severity: setting.origin === "preset" ? "warning" : "error",
    message:
      `\`${describeSetting(setting)}\` is for ${name}, which is ` +
      `frozen${isDefault ? " by default" : ` by \`${describeSetting(frozenBy)}\``}.`,
    fix: isDefault
      ? `${wayToTrain(name, frozenBy)}, or remove ${quotedSetting(setting)}.`
      : `Remove ${quotedSetting(setting)}, or change ${quotedSetting(frozenBy)} so that ${name} trains.`,
    settings: isDefault ? [setting] : [setting, frozenBy],
  };
}

function wayToTrain(name: string, frozenBy: Setting | undefined): string {
  if (frozenBy === undefined) return `Train ${name}`;
  return `Add \`${describeSetting({ ...frozenBy, value: frozenBy.value === true ? false : "train" })}\` to train it`;
}
