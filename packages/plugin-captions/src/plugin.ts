import { API_VERSION, definePlugin } from "@thaw/core";
import { METRICS } from "./metrics/list.js";

export const PLUGIN_NAME = "CaptionsPlugin";

/** Brings Thaw's own metrics, which a config names in `data.metrics`. */
export const captions = definePlugin({ name: PLUGIN_NAME, apiVersion: API_VERSION, provides: { metrics: METRICS } });
