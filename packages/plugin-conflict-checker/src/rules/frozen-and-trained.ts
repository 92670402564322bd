import type { Finding, Rule, RuleContext } from "@thaw/core";
import { componentFacts } from "../plan-facts.js";
import { describeSetting, listed, quotedSetting } from "../settings.js";

/**
 * What plugins demand of components, against the plan and against each other. The freeze policy reports settings under
 * the same id.
 */
export const frozenAndTrained: Rule<RuleContext> = {
  id: "frozen-and-trained",
  defaultSeverity: "error",
  summary: "One setting freezes a component and another one trains it; what plugins demand counts too.",
  check(context) {
    const facts = componentFacts(context);
    const demands = [...context.claims].flatMap(([plugin, { components = {} }]) =>
      Object.entries(components).map(([component, state]) => ({ plugin, component, state })),
    );
    return demands.flatMap(({ plugin, component, state }, index): readonly Finding[] => {
      const other = demands.find(
        (demand, position) => position > index && demand.component === component && demand.state !== state,
      );
      const against: readonly Finding[] =
        other === undefined
          ? []
          : [
              {
                rule: "frozen-and-trained",
                severity: "error",
                message:
                  `The plugin ${plugin} demands that ${component} is ${stateText(state)}, and the plugin ` +
                  `${other.plugin} demands that it is ${stateText(other.state)}.`,
                fix: `Remove ${plugin} or ${other.plugin}, or change the option of one of them that makes the demand.`,
                settings: [],
              },
            ];
      const fact = facts.get(component);
      if (fact === undefined || (state === "frozen" ? !fact.trains : fact.trains)) return against;
      const settings = fact.settings.filter(({ origin }) => origin !== "default");
      const by =
        settings.length === 0
          ? "by default"
          : `by ${listed(settings.map((setting) => `\`${describeSetting(setting)}\``))}`;
      return [
        ...against,
        {
          rule: "frozen-and-trained",
          severity: "error",
          message:
            `The plugin ${plugin} demands that ${component} is ${stateText(state)}, and the plan has it ` +
            `${fact.trains ? "trained" : "frozen"} ${by}.`,
          fix:
            settings[0] === undefined
              ? `Remove the plugin ${plugin}, or set the state of ${component}.`
              : `Remove the plugin ${plugin}, or change ${quotedSetting(settings[0])}.`,
          settings,
        },
      ];
    });
  },
};

function stateText(state: "frozen" | "train"): string {
  return state === "frozen" ? "frozen" : "trained";
}
