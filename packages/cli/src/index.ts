import type { BackendOptions } from "@thaw/backend-gpu";
import type { ConflictCheckerOptions } from "@thaw/plugin-conflict-checker";
import type { FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import type { LoraSectionOptions } from "@thaw/plugin-lora";
import type { ProjectorOnlyOptions } from "@thaw/plugin-projector-only";
import type { TokenRowsOptions } from "@thaw/plugin-token-rows";
import type { DataSectionOptions } from "./config/data-section.js";

declare module "@thaw/config" {
  interface ConfigSections {
    data?: DataSectionOptions;
    freeze?: FreezePolicyOptions;
    lora?: LoraSectionOptions;
    tokenRows?: TokenRowsOptions;
    checks?: ConflictCheckerOptions;
    projectorOnly?: ProjectorOnlyOptions;
    backend?: BackendOptions;
  }
}

export { defineConfig } from "@thaw/config";
export type { ThawConfig } from "@thaw/config";
export type { DataSectionOptions } from "./config/data-section.js";
