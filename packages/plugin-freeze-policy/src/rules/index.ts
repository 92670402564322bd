import type { RuleInfo } from "@thaw/core";
import { ADAPTER_AND_FULL } from "./adapter-and-full.js";
import { ADAPTER_WITHOUT_PLUGIN } from "./adapter-without-plugin.js";
import { ALIASES_DISAGREE } from "./aliases-disagree.js";
import { FROZEN_AND_TRAINED } from "./frozen-and-trained.js";
import { NOTHING_TRAINS } from "./nothing-trains.js";
import { SCHEDULE_POSITION_UNKNOWN } from "./schedule-position-unknown.js";
import { SELECTOR_MATCHES_NOTHING } from "./selector-matches-nothing.js";
import { SETTING_FOR_FROZEN_COMPONENT } from "./setting-for-frozen-component.js";
import { SHORTCUT_CONTRADICTS_FLAG } from "./shortcut-contradicts-flag.js";
import { TIED_PARAMETERS_SPLIT } from "./tied-parameters-split.js";

/** Rules whose findings the freeze policy reports while it compiles the plan. */
export const FREEZE_RULES: readonly RuleInfo[] = [
  SHORTCUT_CONTRADICTS_FLAG,
  ALIASES_DISAGREE,
  NOTHING_TRAINS,
  SELECTOR_MATCHES_NOTHING,
  FROZEN_AND_TRAINED,
  TIED_PARAMETERS_SPLIT,
  SETTING_FOR_FROZEN_COMPONENT,
  ADAPTER_AND_FULL,
  ADAPTER_WITHOUT_PLUGIN,
  SCHEDULE_POSITION_UNKNOWN,
];
