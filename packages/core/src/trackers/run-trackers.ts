import { setTimeout } from "node:timers/promises";
import { causeText, withoutSecrets } from "@thaw/contracts";
import type { RunFacts } from "../api/contexts.js";
import type { Logger } from "../api/logger.js";
import type { RunPart } from "../run/run-part.js";
import type { RunEvent } from "../stream/run-event.js";
import { optionMissing } from "../errors/options.js";
import { runFacts } from "../model/loaded-model.js";
import type { TrainerParts } from "../run/trainer-parts.js";
import { chosenTrackers, trackerFolder, type ChosenTracker } from "./options.js";
import type { StepHistograms, Tracker } from "./tracker.js";

/** Calls that may wait for one tracker before the run waits too. */
const MOST_WAITING = 256;
/** How long the run then waits, and how long at its end. */
const PATIENCE_MS = 60_000;

/** One tracker of a run, with the calls that wait for it. */
interface Told {
  readonly name: string;
  readonly tracker: Tracker;
  readonly histogramsEvery: number | undefined;
  calls: Promise<void>;
  waiting: number;
  faults: number;
  isGivenUp: boolean;
}

/** The trackers that a run's options name. @throws THAW_CORE_OPTION_MISSING for some without a run folder */
export function runTrackers(parts: TrainerParts, runFolder: string | undefined, step: number): RunTrackers | undefined {
  const chosen = chosenTrackers(parts.options.trackers ?? [], parts.registry);
  if (chosen.length === 0) return undefined;
  if (runFolder === undefined)
    throw optionMissing("output", "Trackers write into the run folder: name the folder that it is made in.");
  return new RunTrackers(chosen, { facts: runFacts(parts, runFolder), step, logger: parts.logger });
}

/** What a run's trackers are told, each in order and none of them waited for. A fault of one is a warning. */
export class RunTrackers implements RunPart {
  readonly #chosen: readonly ChosenTracker[];
  readonly #facts: RunFacts;
  readonly #step: number;
  readonly #logger: Logger;
  readonly #patienceMs: number;
  #told: readonly Told[] = [];

  /** `step`: steps done before. `facts` has a run folder. */
  constructor(
    chosen: readonly ChosenTracker[],
    { facts, step, logger }: { readonly facts: RunFacts; readonly step: number; readonly logger: Logger },
    patienceMs = PATIENCE_MS,
  ) {
    this.#chosen = chosen;
    this.#facts = withoutSecretTexts(facts);
    this.#step = step;
    this.#logger = logger;
    this.#patienceMs = patienceMs;
  }

  async open(): Promise<void> {
    const told: Told[] = [];
    for (const chosen of this.#chosen) {
      const { name, factory, options } = chosen;
      try {
        const folder = trackerFolder(this.#facts.runFolder!, chosen);
        const making = { facts: this.#facts, folder, step: this.#step, logger: this.#logger };
        const tracker = await factory.make(options, making);
        const histogramsEvery = factory.histogramsEverySteps?.(options);
        told.push({
          name,
          tracker,
          histogramsEvery,
          calls: Promise.resolve(),
          waiting: 0,
          faults: 0,
          isGivenUp: false,
        });
      } catch (cause) {
        this.#logger.warn({ tracker: name }, `The tracker ${name} could not begin: ${causeText(cause)}.`);
      }
    }
    this.#told = told;
  }

  async record(event: RunEvent): Promise<void> {
    const clean = withoutSecretTexts(event);
    for (const told of this.#told) await this.#call(told, ({ tracker }) => tracker.record(clean));
  }

  /** True if someone asked for histograms after this step, counted from 0. */
  wantsHistograms(step: number): boolean {
    return this.#told.some((told) => wants(told, step + 1));
  }

  async histograms(histograms: StepHistograms): Promise<void> {
    for (const told of this.#told)
      if (wants(told, histograms.step)) await this.#call(told, ({ tracker }) => tracker.histograms?.(histograms));
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#told.map(async (told) => {
        await this.#call(told, ({ tracker }) => tracker.close?.());
        await this.#wait(told);
        if (told.faults > 1)
          this.#logger.warn(
            { tracker: told.name, faults: told.faults },
            `The tracker ${told.name} failed ${told.faults} times.`,
          );
      }),
    );
    this.#told = [];
  }

  async #call(told: Told, call: (told: Told) => Promise<void> | void): Promise<void> {
    if (told.isGivenUp) return;
    told.waiting += 1;
    told.calls = told.calls
      .then(() => call(told))
      .catch((cause: unknown) => {
        told.faults += 1;
        // Told of as it happens first; the warning is an event that the tracker is told of in turn
        if (told.faults === 1)
          this.#logger.warn(
            { tracker: told.name, error: cause },
            `The tracker ${told.name} failed: ${causeText(cause)}. The run goes on.`,
          );
      })
      .finally(() => {
        told.waiting -= 1;
      });
    if (told.waiting > MOST_WAITING) await this.#wait(told);
  }

  /** Until the tracker has settled, or for as long as a run may wait for one; then it is told of nothing more. */
  async #wait(told: Told): Promise<void> {
    const ended = new AbortController();
    const patience = setTimeout(this.#patienceMs, "late" as const, { signal: ended.signal }).catch(() => undefined);
    const isLate = (await Promise.race([told.calls, patience])) === "late";
    ended.abort();
    if (!isLate) return;
    told.isGivenUp = true;
    this.#logger.warn(
      { tracker: told.name, waiting: told.waiting },
      `The tracker ${told.name} did not answer for ${this.#patienceMs / 1000} s and is told of nothing more.`,
    );
  }
}

function wants({ histogramsEvery, isGivenUp }: Told, step: number): boolean {
  return histogramsEvery !== undefined && !isGivenUp && step % histogramsEvery === 0;
}

/** A value whose texts hold no values of secrets, keys included; bytes and what is neither are as they were. */
function withoutSecretTexts<T>(value: T): T {
  if (typeof value === "string") return withoutSecrets(value) as T;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(withoutSecretTexts) as T;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [withoutSecrets(key), withoutSecretTexts(inner)]),
  ) as T;
}
