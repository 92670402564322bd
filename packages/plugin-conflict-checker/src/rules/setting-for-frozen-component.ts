import type { Finding, Rule, RuleContext, Setting } from "@thaw/core";
import { componentFacts, type ComponentFacts } from "../plan-facts.js";
import { describeSetting, normalSegment, quotedSetting, settingsUnder, spelledLike } from "../settings.js";

/** Flags that train a component which only a default froze. */
const FLAGS: Readonly<Record<string, string>> = {
  vision_tower: "freeze_vision_tower: false",
  multi_modal_projector: "freeze_multi_modal_projector: false",
  language_model: "freeze_language_model: false",
};

/** Settings of `training.components` for components that no phase trains. The freeze policy reports adapters under the same id. */
export const settingForFrozenComponent: Rule<RuleContext> = {
  id: "setting-for-frozen-component",
  defaultSeverity: "error",
  summary: "A learning rate, weight decay, schedule, clip or adapter is set for a component that is frozen.",
  check(context) {
    const facts = componentFacts(context);
    return settingsUnder(context.settings, ["training", "components"]).flatMap((setting): readonly Finding[] => {
      const component = normalSegment(setting.path.split(".")[2] ?? "");
      const found = [...facts.values()].find(({ name }) => normalSegment(name) === component);
      return found === undefined || found.trains || setting.origin === "default" ? [] : [frozenComponent(setting, found, context.settings)];
    });
  },
};

function frozenComponent(setting: Setting, { name, settings }: ComponentFacts, all: readonly Setting[]): Finding {
  const frozenBy = settings[0];
  const isDefault = frozenBy === undefined || frozenBy.origin === "default";
  const [flag, value] = (FLAGS[name] ?? `components: { ${name}: train }`).split(/: (.*)/s);
  return {
    rule: "setting-for-frozen-component",
    severity: setting.origin === "preset" ? "warning" : "error",
    message: `\`${describeSetting(setting)}\` is for ${name}, which is frozen${isDefault ? " by default" : ` by \`${describeSetting(frozenBy)}\``}.`,
    fix: isDefault
      ? `Add \`${spelledLike(all, flag!)}: ${value}\` under \`freeze\` to train ${name}, or remove ${quotedSetting(setting)}.`
      : `Remove ${quotedSetting(setting)}, or change ${quotedSetting(frozenBy)} so that ${name} trains.`,
    settings: isDefault ? [setting] : [setting, frozenBy],
  };
}
