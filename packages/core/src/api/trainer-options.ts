import type { Plugin } from "./plugin.js";
import type { RunOptions } from "./run-options.js";

/** What `new Trainer` takes; the CLI builds the same from a config. */
export interface TrainerOptions extends RunOptions {
  /** Applied in this order; falsy entries are ignored. */
  readonly plugins?: readonly (Plugin | false | null | undefined)[];
}
