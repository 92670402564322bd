import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  NO_CODE,
  resolveConfig,
  type AnyPluginFactory,
  type ModuleAliases,
  type ResolvedConfig,
  type ResolvedStage,
  type Trust,
  type TrustedCode,
} from "@thaw/config";
import { backendGpu } from "@thaw/backend-gpu";
import {
  API_VERSION,
  definePlugin,
  type Finding,
  type Registry,
  type StandardSchema,
  type ThawError,
} from "@thaw/core";
import { BUILT_IN_FORMATS } from "@thaw/data";
import { FAMILIES } from "@thaw/models";
import { captions } from "@thaw/plugin-captions";
import { conflictChecker } from "@thaw/plugin-conflict-checker";
import { freezePolicy } from "@thaw/plugin-freeze-policy";
import { lora } from "@thaw/plugin-lora";
import { projectorOnly } from "@thaw/plugin-projector-only";
import { tokenRows } from "@thaw/plugin-token-rows";
import { trackers } from "@thaw/plugin-trackers";
import { ownConfig } from "./trusted-code.js";
import { dataSectionSchema, dataSectionSchemaOf, type DataSection } from "./data-section.js";

/** What Thaw's packages that are no plugins provide. */
const OWN = definePlugin({
  name: "Thaw",
  apiVersion: API_VERSION,
  provides: { families: FAMILIES, formats: BUILT_IN_FORMATS },
});

/** Plugins that every command loads, those that a config names come behind them. */
export const BUILT_IN_PLUGINS: readonly AnyPluginFactory[] = [
  OWN,
  freezePolicy,
  lora,
  tokenRows,
  conflictChecker,
  projectorOnly,
  trackers,
  captions,
  backendGpu,
] as unknown as readonly AnyPluginFactory[];

/** The sections that the command line itself reads, made of what plugins provide. */
export function hostSections(registry: Registry): Readonly<Record<string, StandardSchema>> {
  return { data: dataSectionSchemaOf(registry.all("formats"), registry.all("metrics")) };
}

/** How a command wants its config. */
export interface LoadOptions {
  readonly set?: readonly string[];
  /** Values on top of the file; with `config: null` there is no file. */
  readonly values?: unknown;
  readonly requires?: "nothing" | "model" | "training";
  /** Where discovery starts; the working directory without it. */
  readonly folder?: string;
  /** What a config that is data may name although it is code; without it what the working folder's config names. */
  readonly trust?: Trust;
  /** The file is data, also where it does not say that a run saved it. */
  readonly isData?: boolean;
  /** A saved config that is not a file of its own. */
  readonly saved?: { readonly file: string; readonly value: unknown };
  /** What a run was given by `--set`, as its folder says: data. */
  readonly savedOverrides?: readonly string[];
}

/** A config with the `data` section typed. */
export interface LoadedConfig extends Omit<ResolvedConfig, "stages"> {
  readonly data: DataSection;
  readonly hasErrors: boolean;
  readonly stages: readonly LoadedStage[];
  /** `org/name` of a model that lies in a folder of the hub's cache. */
  readonly hubName?: string;
  /** Why there is no folder for a model that is named on the hub. */
  readonly modelError?: ThawError;
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
    sections: hostSections,
    requires: options.requires ?? "model",
    alias: configAliases(),
    trust: options.trust ?? (() => ownCode(config, options)),
    isData: options.isData === true,
    ...(options.saved === undefined ? {} : { saved: options.saved }),
    ...(options.savedOverrides === undefined ? {} : { savedOverrides: options.savedOverrides }),
  });
  return withData(resolved);
}

/**
 * What the working folder's config loads as code, for a config that is data: nothing where there is none, or where
 * it is part of what is opened.
 */
async function ownCode(config: string | null | undefined, options: LoadOptions): Promise<TrustedCode> {
  const { saved, folder = process.cwd() } = options;
  const opened = saved?.file ?? config ?? undefined;
  const file = opened === undefined ? undefined : await ownConfig(dirname(resolve(folder, opened)));
  if (file === undefined) return NO_CODE;
  return (await loadConfig(file, { requires: "nothing", trust: () => Promise.resolve(NO_CODE) })).code;
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
 * every package of Thaw that this one stands on, and the TensorFlow.js whose engine holds all tensors.
 */
export function configAliases(): ModuleAliases {
  const { dependencies } = JSON.parse(
    readFileSync(fileURLToPath(import.meta.resolve("@thaw/cli/package.json")), "utf8"),
  ) as { readonly dependencies: Readonly<Record<string, string>> };
  const own = Object.keys(dependencies).filter((name) => name.startsWith("@thaw/") && name !== "@thaw/presets");
  return Object.fromEntries(
    ["@thaw/cli", ...own, "@tensorflow/tfjs-core"].map((name) => [name, fileURLToPath(import.meta.resolve(name))]),
  );
}
