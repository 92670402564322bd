import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  resolveConfig,
  type AnyPluginFactory,
  type ModuleAliases,
  type ResolvedConfig,
  type ResolvedStage,
} from "@thaw/config";
import { backendGpu } from "@thaw/backend-gpu";
import type { Finding } from "@thaw/core";
import { conflictChecker } from "@thaw/plugin-conflict-checker";
import { freezePolicy } from "@thaw/plugin-freeze-policy";
import { lora } from "@thaw/plugin-lora";
import { projectorOnly } from "@thaw/plugin-projector-only";
import { tokenRows } from "@thaw/plugin-token-rows";
import { dataSectionSchema, type DataSection } from "./data-section.js";

/**
 * Plugins that every command loads; their sections are `freeze`, `lora`, `tokenRows`, `checks`, `projectorOnly` and
 * `backend`.
 */
export const BUILT_IN_PLUGINS: readonly AnyPluginFactory[] = [
  freezePolicy,
  lora,
  tokenRows,
  conflictChecker,
  projectorOnly,
  backendGpu,
] as unknown as readonly AnyPluginFactory[];

/** Sections that the command line itself reads. */
export const HOST_SECTIONS = { data: dataSectionSchema };

/** How a command wants its config. */
export interface LoadOptions {
  readonly set?: readonly string[];
  /** Values on top of the file; with `config: null` there is no file. */
  readonly values?: unknown;
  readonly requires?: "nothing" | "model" | "training";
  /** Where discovery starts; the working directory without it. */
  readonly folder?: string;
}

/** A config with the `data` section typed. */
export interface LoadedConfig extends Omit<ResolvedConfig, "stages"> {
  readonly data: DataSection;
  readonly hasErrors: boolean;
  readonly stages: readonly LoadedStage[];
}

/** One stage of a config. */
export interface LoadedStage extends Omit<ResolvedStage, "config"> {
  readonly config: LoadedConfig;
}

/**
 * Finds, reads and validates a config with the built-in plugins. `@throws THAW_CONFIG_*, THAW_PLUGIN_*, THAW_PRESET_*`.
 */
export async function loadConfig(config: string | null | undefined, options: LoadOptions): Promise<LoadedConfig> {
  const resolved = await resolveConfig({
    folder: options.folder ?? process.cwd(),
    ...(config === undefined ? {} : { config }),
    overrides: options.set ?? [],
    ...(options.values === undefined ? {} : { values: options.values }),
    builtins: BUILT_IN_PLUGINS,
    sections: HOST_SECTIONS,
    requires: options.requires ?? "model",
    alias: configAliases(),
  });
  return withData(resolved);
}

function withData(resolved: ResolvedConfig): LoadedConfig {
  const data = (resolved.sections["data"] as DataSection | undefined) ?? dataSectionSchema.parse({});
  return {
    ...resolved,
    data,
    hasErrors: resolved.findings.some(isError),
    stages: resolved.stages.map((stage) => ({ ...stage, config: withData(stage.config) })),
  };
}

/** True for what ends a run. */
export function isError(finding: Finding): boolean {
  return finding.severity === "error";
}

/**
 * What a config or plugin in TypeScript imports from the running Thaw, also in a folder that has not installed it:
 * every package of Thaw that this one stands on.
 */
export function configAliases(): ModuleAliases {
  const { dependencies } = JSON.parse(
    readFileSync(fileURLToPath(import.meta.resolve("@thaw/cli/package.json")), "utf8"),
  ) as { readonly dependencies: Readonly<Record<string, string>> };
  const own = Object.keys(dependencies).filter((name) => name.startsWith("@thaw/") && name !== "@thaw/presets");
  return Object.fromEntries(["@thaw/cli", ...own].map((name) => [name, fileURLToPath(import.meta.resolve(name))]));
}
