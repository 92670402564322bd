// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

import type { TrainingOptions } from "@thaw/core";
import type { ConfiguredTracker } from "../resolving/secrets.js";

/** As users write it. */
export interface ConfigOptions {
  /** The Hugging Face checkpoint that is trained: its folder, its name on the hub, or a mapping with its path. */
  model: string | ModelOptions;
  /** How it is trained. */
  training?: TrainingOptions | undefined;
  /** Who is told of the run while it goes on, each with its own options; see the page on trackers. */
  trackers?: ConfiguredTracker[] | undefined;
  /** Folder that run folders are made in. Default: ./runs. */
  output?: string | undefined;
  /** First part of the run folder's name. Default: run. */
  runName?: string | undefined;
  /** Of the sample order, of dropout and of new parameters. Default: 0. */
  seed?: number | undefined;
  /** Names, paths (from this file), or plugin objects in TypeScript. */
  plugins?: unknown[] | undefined;
  /** Paths (as if written here) or packages (presets) that this config builds on. */
  extends?: string | string[] | undefined;
  /**
   * Runs one after the other, each with what all before it trained; a stage holds what differs from the rest of the
   * config.
   */
  stages?: StageOptions[] | undefined;
  /** Path of the JSON schema, for editors: what thaw config --schema prints. */
  $schema?: string | undefined;
  /** Written into run folders: where the settings came from. */
  $saved?: SavedConfig | undefined;
}

/** The Hugging Face checkpoint that is trained: its folder, its name on the hub, or a mapping with its path. */
export interface ModelOptions {
  /** A Hugging Face checkpoint: its folder, or its name on the hub (org/name, org/name@revision). */
  path: string;
  /** Components whose parameters start from fresh random values instead of the checkpoint's. */
  initialize?: "all" | string[] | undefined;
  /** Component to name prefixes, for model types that Thaw has no table for. */
  components?: Record<string, string[]> | undefined;
  /** Name prefixes in the files that are not parameters. */
  ignored?: string[] | undefined;
  /** A finished run's folder or a safetensors file, whose parameters replace the checkpoint's. */
  startFrom?: string | undefined;
}

/**
 * Runs one after the other, each with what all before it trained; a stage holds what differs from the rest of the
 * config.
 */
export interface StageOptions {
  /** What the stage's folder, messages and --set stages.NAME.key=value call it. */
  name: string;
  readonly [key: string]: unknown;
}

/** Written into run folders: where the settings came from. */
export interface SavedConfig {
  readonly [key: string]: unknown;
}
