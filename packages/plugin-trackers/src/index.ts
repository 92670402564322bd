export { PLUGIN_NAME, trackers } from "./plugin.js";
