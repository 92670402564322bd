import type { Claims, Provider, Setting, StandardSchema } from "@thaw/contracts";
import type { TrainerApi } from "./trainer-api.js";

/** The plugin interface's version; a plugin states the one it was written for. */
export const API_VERSION = 1;

/**
 * A piece of behaviour that taps the trainer's hooks, or provides what exists before a trainer does, or both. Its name
 * stands in every tap, error and log line, and is unique in a trainer.
 */
export interface Plugin extends Provider {
  readonly apiVersion: number;
  /** Top-level config key under which its options live. */
  readonly configKey?: string;
  /** What it reads, writes and demands, for the conflict checker. */
  readonly claims?: Claims;
  /** Where its options came from. */
  readonly settings?: readonly Setting[];
  /** Only taps: no I/O, no tensors, no promises. */
  apply?(trainer: TrainerApi): void;
}

/** What a plugin's author writes. What it provides is known before its options are. */
export interface PluginDefinition<Input, Options> extends Provider {
  readonly apiVersion: number;
  readonly configKey?: string;
  /** Synchronous and strict: unknown keys fail. */
  readonly optionsSchema?: StandardSchema<Input, Options>;
  readonly claims?: Claims | ((options: Options) => Claims);
  /**
   * Only taps. `settings` are the plugin's options one by one with their origin, paths spelt as the user wrote them.
   */
  apply?(trainer: TrainerApi, options: Options, settings: readonly Setting[]): void;
}

/** Makes plugins: called by a program with options, or by a config with validated options and their provenance. */
export interface PluginFactory<Input, Options> {
  (options?: Input, settings?: readonly Setting[]): Plugin;
  readonly definition: PluginDefinition<Input, Options>;
}
