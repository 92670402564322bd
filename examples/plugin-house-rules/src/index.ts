import { API_VERSION, definePlugin } from "@thaw/core";
import { highRateWithoutWarmup } from "./high-rate-without-warmup.js";

export { HIGH_RATE, highRateWithoutWarmup } from "./high-rate-without-warmup.js";

const PLUGIN_NAME = "HouseRulesPlugin";

/**
 * Hands this team's rules to the trainer; `checks.rules` in the config sets their severities like those of any other
 * rule.
 */
export default definePlugin({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  apply(trainer) {
    trainer.hooks.rules.tap(PLUGIN_NAME, (collector) => collector.add(highRateWithoutWarmup));
  },
});
