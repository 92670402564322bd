export { connectProcesses } from "./connect.js";
export type { ConnectOptions } from "./connect.js";
export { PLUGIN_NAME, processes } from "./plugin.js";
export type { Place } from "./place.js";
