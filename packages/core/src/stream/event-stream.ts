import { PassThrough } from "node:stream";
import type { RunFacts } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import type { Logger, LogMethod } from "../api/logger.js";
import type { AddedEvent, RunEvent, WarningEvent } from "./run-event.js";

/** Who is told of a run's events. */
export interface EventListeners {
  /** The run's own parts, before plugins. */
  readonly sink: (event: RunEvent) => Promise<void>;
  /** False on ranks above 0: there plugins are not told, what happens being the same on all. */
  readonly isTold: boolean;
}

/** Where what happens in a run is said once, for all who listen: the run's own parts, then taps of `record`. */
export class EventStream {
  readonly #hooks: Pick<TrainerHooks, "record">;
  readonly #warnings: WarningEvent[] = [];
  #facts: RunFacts;
  #listeners: EventListeners | undefined;
  readonly #iterators = new Set<PassThrough>();
  #step: number | undefined;

  constructor(hooks: Pick<TrainerHooks, "record">, facts: RunFacts) {
    this.#hooks = hooks;
    this.#facts = facts;
  }

  /** What the run is, as far as it is known. */
  get facts(): RunFacts {
    return this.#facts;
  }

  /** A run begins after `step` steps. */
  begin(facts: RunFacts, step: number, listeners?: EventListeners): void {
    this.#facts = facts;
    this.#step = step;
    this.#listeners = listeners;
  }

  /** The run is over: later warnings are nobody's. */
  end(): void {
    this.#step = undefined;
    this.#listeners = undefined;
    this.#warnings.length = 0;
    for (const events of this.#iterators) events.end();
    this.#iterators.clear();
  }

  /**
   * The events from now on, to the end of the run. They wait until they are read; who stops reading (`break`) is no
   * longer told.
   */
  iterate(): AsyncIterableIterator<RunEvent> {
    const events = new PassThrough({ objectMode: true });
    this.#iterators.add(events);
    return events[Symbol.asyncIterator]() as AsyncIterableIterator<RunEvent>;
  }

  /** Steps done, as the last event has it; undefined outside a run. */
  get step(): number | undefined {
    return this.#step;
  }

  /** Tells everyone, of what was warned of before first. */
  async emit(event: RunEvent): Promise<void> {
    this.#step = event.step;
    for (const warning of this.#warnings.splice(0)) await this.#tell(warning);
    await this.#tell(event);
  }

  /** What plugins and evaluators add to the stream. */
  async add(event: AddedEvent): Promise<void> {
    await this.#tell(event);
  }

  /** The logger, whose warnings are events of the run too: before the next event. */
  watched(logger: Logger): Logger {
    const warn: LogMethod = (...given: readonly unknown[]) => {
      (logger.warn as (...all: readonly unknown[]) => void)(...given);
      const text = given.findLast((part) => typeof part === "string");
      if (this.#step !== undefined && text !== undefined)
        this.#warnings.push({ event: "warning", step: this.#step, text });
    };
    return {
      debug: logger.debug.bind(logger) as LogMethod,
      info: logger.info.bind(logger) as LogMethod,
      warn,
      error: logger.error.bind(logger) as LogMethod,
    };
  }

  async #tell(event: RunEvent): Promise<void> {
    await this.#listeners?.sink(event);
    if (this.#listeners?.isTold === false) return;
    for (const events of this.#iterators) if (!events.destroyed) events.write(event);
    await this.#hooks.record.promise(event, this.#facts);
  }
}
