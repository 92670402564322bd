/**
 * The commands that only plan. They are bundled into one file too (`bundle.mjs`), which starts several times faster.
 */
export { check } from "../commands/check.js";
export { plan } from "../commands/plan.js";
export { why } from "../commands/why.js";
export { isPlainConfig } from "../config/plain-config.js";
