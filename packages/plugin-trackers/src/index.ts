export { PLUGIN_NAME, trackers } from "./plugin.js";
export type * from "./option-types.js";
