export { tokenRowsSchema } from "./options.js";
export type { ResolvedTokenRows, TokenRowsOptions } from "./options.js";
export { PLUGIN_NAME, tokenRows, tokenRows as default } from "./plugin.js";
