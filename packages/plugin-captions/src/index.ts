export { METRICS } from "./metrics/list.js";
export { captions, captions as default, PLUGIN_NAME } from "./plugin.js";
