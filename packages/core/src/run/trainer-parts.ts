import type { Claims, Setting } from "@thaw/contracts";
import type { TrainerHooks } from "../api/hooks.js";
import type { HookWatch } from "./intercept.js";
import type { Logger } from "../api/logger.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { Registry } from "../provides/registry.js";
import type { EventStream } from "../stream/event-stream.js";
import type { TrainerOptions } from "../api/trainer-options.js";

/** What a trainer knows after its construction; shared by planning, runs and sessions. */
export interface TrainerParts {
  readonly hooks: TrainerHooks;
  readonly watch: HookWatch;
  readonly options: TrainerOptions;
  readonly training: ResolvedTrainingOptions;
  /** The run's and all plugins'. */
  readonly settings: readonly Setting[];
  readonly claims: ReadonlyMap<string, Claims>;
  /** What the plugins provide. */
  readonly registry: Registry;
  readonly logger: Logger;
  readonly stream: EventStream;
}
