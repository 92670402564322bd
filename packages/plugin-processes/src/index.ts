export { connectProcesses, ENGINES } from "./connect.js";
export type { ConnectOptions, EngineName } from "./connect.js";
export { freePort } from "./wire/free-port.js";
export { PLUGIN_NAME, processes } from "./plugin.js";
export type { Place } from "./place.js";
