import { type Finding, nearestNames, toSnakeCase } from "@thaw/core";
import type { FreezeSettings } from "./collect.js";
import { componentUnknown } from "../rules/selector-matches-nothing.js";
import { FLAG_OF_COMPONENT, type Vocabulary } from "./vocabulary.js";

/** Components that published model types have; what a key may name where no checkpoint is there to ask. */
const USUAL_COMPONENTS = Object.keys(FLAG_OF_COMPONENT);

/**
 * Reports settings for components that the model does not have: entries (a preset's as a warning) and explicit flags.
 * Without a checkpoint only an entry that looks like a misspelt usual name is reported, as a warning.
 */
export function checkNames(
  freeze: FreezeSettings,
  components: readonly string[],
  isCheckpointKnown: boolean,
  vocabulary: Vocabulary,
  report: (finding: Finding) => void,
): void {
  const spell = (component: string) => (vocabulary.write(["components", component]) ?? component).split(".").at(-1)!;
  for (const [component, { setting }] of freeze.entries) {
    const known = isCheckpointKnown ? components : USUAL_COMPONENTS;
    if (known.some((name) => toSnakeCase(name) === component)) continue;
    const nearest = nearestNames(component, known);
    if (!isCheckpointKnown && nearest.length === 0) continue;
    const finding = componentUnknown(setting, spell(component), nearest.map(spell), known.map(spell), true);
    report(isCheckpointKnown && setting.origin === "explicit" ? finding : { ...finding, severity: "warning" });
  }
  if (!isCheckpointKnown) return;
  for (const [component, flag] of Object.entries(FLAG_OF_COMPONENT)) {
    const given = freeze.flags.get(flag);
    if (given === undefined || given.setting.origin !== "explicit" || components.includes(component)) continue;
    report(componentUnknown(given.setting, spell(component), [], components.map(spell)));
  }
}
