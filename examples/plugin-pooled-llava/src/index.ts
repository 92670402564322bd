import { API_VERSION, definePlugin } from "@thaw/core";
import { registerFamily } from "@thaw/models";
import { pooledLlavaFamily } from "./family.js";

export { pooledLlavaFamily } from "./family.js";

// Outside `apply`, so that the family is known when the checkpoint opens.
registerFamily(pooledLlavaFamily);

/** Brings the model type `pooled_llava`: `plugins: [pooled-llava]`. */
export default definePlugin({ name: "PooledLlavaPlugin", apiVersion: API_VERSION, apply() {} });
