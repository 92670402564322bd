import { API_VERSION, definePlugin } from "@thaw/core";
import { METRICS } from "./metrics/list.js";

export const PLUGIN_NAME = "CaptionsPlugin";

/** Brings Thaw's own metrics. No config can name one yet, so no command loads them. */
export const captions = definePlugin({ name: PLUGIN_NAME, apiVersion: API_VERSION, provides: { metrics: METRICS } });
