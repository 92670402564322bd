import { API_VERSION, type Plugin } from "@thaw/core";
import { connectProcesses, type ConnectOptions } from "./connect.js";
import type { Place } from "./place.js";

export const PLUGIN_NAME = "ProcessesPlugin";

/** Connects this process, which stands at `place`, with the others of its run: answers `resolveEnsemble`. */
export function processes(place: Place, options: ConnectOptions = {}): Plugin {
  return {
    name: PLUGIN_NAME,
    apiVersion: API_VERSION,
    apply({ hooks }) {
      hooks.resolveEnsemble.tapPromise(PLUGIN_NAME, () => connectProcesses(place, options));
    },
  };
}
