export { type CacheDecision, type CacheFacts, decideCache } from "./cache/decide.js";
export type { ProjectorOnlyOptions, ResolvedFeatureCacheOptions, ResolvedProjectorOnlyOptions } from "./options.js";
export { projectorOnlySchema } from "./options.js";
export { PLUGIN_NAME, projectorOnly, projectorOnly as default } from "./plugin.js";
export { projectorOnlyRules } from "./rules.js";
export { cacheableSegments } from "./segments.js";
