import type { Claims, Setting } from "@thaw/contracts";
import type { TrainerApi } from "./trainer-api.js";

/** The plugin interface's version; a plugin states the one it was written for. */
export const API_VERSION = 1;

/** A piece of behaviour that taps the trainer's hooks. `apply` only taps: no I/O, no tensors, no promises. */
export interface Plugin {
  /** Names every tap, error and log line; unique in a trainer. */
  readonly name: string;
  readonly apiVersion: number;
  /** Top-level config key under which its options live. */
  readonly configKey?: string;
  /** What it reads, writes and demands, for the conflict checker. */
  readonly claims?: Claims;
  /** Where its options came from. */
  readonly settings?: readonly Setting[];
  apply(trainer: TrainerApi): void;
}

/**
 * The part of Standard Schema (standardschema.dev, version 1) that Thaw uses: zod, valibot and arktype schemas have it.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** What a plugin's author writes. */
export interface PluginDefinition<Input, Options> {
  readonly name: string;
  readonly apiVersion: number;
  readonly configKey?: string;
  /** Synchronous and strict: unknown keys fail. */
  readonly optionsSchema?: StandardSchema<Input, Options>;
  readonly claims?: Claims | ((options: Options) => Claims);
  /**
   * Only taps. `settings` are the plugin's options one by one with their origin, paths spelt as the user wrote them.
   */
  apply(trainer: TrainerApi, options: Options, settings: readonly Setting[]): void;
}

/** Makes plugins: called by a program with options, or by a config with validated options and their provenance. */
export interface PluginFactory<Input, Options> {
  (options?: Input, settings?: readonly Setting[]): Plugin;
  readonly definition: PluginDefinition<Input, Options>;
}
