export type { FreezeSettings, Resolved } from "./intent/collect.js";
export { intentText } from "./deciding/decide.js";
export type { Entry, Intent, LoraIntent, Position } from "./intent/intent.js";
export { componentStateSchema, freezeSchema, loraSchema } from "./options.js";
export type { FreezePolicyOptions, LoraOptions } from "./options.js";
export { matchesPattern } from "./selecting/pattern.js";
export { compiledPolicyOf, foreignFreezePolicy, freezePolicy, freezePolicy as default } from "./plugin.js";
export { compilePolicy, findNothingTrains } from "./deciding/policy.js";
export type { CompiledPolicy, ComponentDecision, ComponentState, PolicyInput } from "./deciding/policy.js";
export { FREEZE_RULES } from "./rules/index.js";
export type { Timeline } from "./deciding/timeline.js";
export {
  FLAG_DEFAULTS,
  FLAG_OF_COMPONENT,
  SHORTCUT,
  SHORTCUT_COMPONENTS,
  thawVocabulary,
} from "./intent/vocabulary.js";
export type { KeyPath, Vocabulary } from "./intent/vocabulary.js";
