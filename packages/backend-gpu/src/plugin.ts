import { API_VERSION, definePlugin } from "@thaw/core";
import { chooseBackend } from "./choose.js";
import { COMMANDS } from "./commands/index.js";
import { defaultCacheFolder } from "./locate.js";
import {
  type BackendOptions,
  backendOptionsSchema,
  type ParsedBackendOptions,
  resolveBackendOptions,
} from "./options.js";

const PLUGIN_NAME = "BackendGpuPlugin";

/**
 * Names the run's backend: the given one, or the fastest that is on the machine. What was skipped is logged, one line
 * each.
 * @throws THAW_BACKEND_MISSING, THAW_BACKEND_LOAD_FAILED, THAW_BACKEND_ALREADY_LOADED from the `resolveBackend` hook
 */
export const backendGpu = definePlugin<BackendOptions | undefined, ParsedBackendOptions>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  configKey: "backend",
  optionsSchema: backendOptionsSchema,
  claims: { exclusive: ["backend"] },
  provides: { commands: COMMANDS },
  apply(trainer, options) {
    trainer.hooks.resolveBackend.tapPromise(PLUGIN_NAME, async ({ precision }) => {
      const resolved = resolveBackendOptions(options, {
        projectFolder: process.cwd(),
        cacheFolder: defaultCacheFolder(),
        tensorFloat32: precision !== "float32",
      });
      const { backend, fallbacks } = await chooseBackend(resolved);
      for (const line of fallbacks) trainer.logger.warn(line);
      return backend;
    });
  },
});
