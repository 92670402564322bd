export type { Adapter } from "./adapters/adapter.js";
export { loraSchema, loraSectionSchema } from "./options.js";
export type { LoraSectionOptions, ResolvedLora, ResolvedLoraSection } from "./options.js";
export { LORA_ERROR_CODES } from "./errors.js";
export { ADAPTER_FOLDER, lora, lora as default, PLUGIN_NAME, saveAdapter } from "./plugin.js";
