import { API_VERSION, definePlugin } from "@thaw/core";
import { pooledLlavaFamily } from "./family.js";

export { pooledLlavaFamily } from "./family.js";

/** Brings the model type `pooled_llava`: `plugins: [pooled-llava]`. */
export default definePlugin({
  name: "PooledLlavaPlugin",
  apiVersion: API_VERSION,
  provides: { families: [pooledLlavaFamily] },
});
