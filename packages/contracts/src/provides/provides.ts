import type { StandardSchema } from "./schema.js";

/** Something that a config chooses by `type`: an optimizer, a metric, a format. Each kind adds what makes it. */
export interface Provided<Options = unknown> {
  /** What a config writes after `type:`; lower case with dashes or underscores, unique among all of its kind. */
  readonly type: string;
  /** One sentence, for help, docs and editors. */
  readonly summary: string;
  /**
   * The options beside `type`: synchronous and strict (unknown keys fail), with defaults. An empty mapping is given
   * where a config writes the type alone.
   */
  readonly schema: StandardSchema<unknown, Options>;
}

/**
 * What a plugin brings before a trainer exists, by kind. The package that knows a kind adds it by declaration merging:
 * `@thaw/core` optimizers and commands, `@thaw/data` formats, `@thaw/models` families.
 */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface Provides {}

/** Who provides something: a plugin, or a package of Thaw's own. */
export interface Provider {
  readonly name: string;
  readonly provides?: Provides;
  /** Names of the plugins that must be there too. */
  readonly needs?: readonly string[];
}
