import type { Claims } from "@thaw/contracts";
import { ThawError } from "@thaw/contracts";
import { findCheckpoint, type FoundCheckpoint } from "../checkpoint/read-checkpoint.js";
import { alreadyRunning, planRefused } from "../errors/options.js";
import { runStalled } from "../errors/plugins.js";
import type { PlannedContext } from "../api/contexts.js";
import { createHooks, type TrainerHooks } from "../api/hooks.js";
import { HookWatch, type TapDescription } from "./intercept.js";
import { silentLogger, type Logger } from "../api/logger.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import { CORE_PROVIDER } from "../provides/core-provider.js";
import { Registry } from "../provides/registry.js";
import { ALONE } from "../ensemble/ensemble.js";
import { makePlan } from "../plan/planner.js";
import { EventStream } from "../stream/event-stream.js";
import { failedEvent } from "../stream/make-events.js";
import type { RunEvent } from "../stream/run-event.js";
import { loadModel, runFacts, type LoadedModel } from "../model/loaded-model.js";
import { judgePlanChange } from "../checkpoint/resume.js";
import { RunnerSession } from "../evaluation/runner-session.js";
import { checkRunOptions, collectSettings, givenPlugins, resolveTraining } from "./check-run.js";
import { withRescue, type Rescue } from "./rescue.js";
import { RESULT_CHECKS } from "./tap-results.js";
import { TrainingRun } from "./training-run.js";
import type { Session } from "../api/session.js";
import type { RunSummary } from "../api/summary.js";
import type { PlanResult, TrainerApi } from "../api/trainer-api.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import type { TrainerParts } from "./trainer-parts.js";

/**
 * Trains a model under a plan. Plugins tap `hooks`; without any, every parameter trains.
 * Construction is cheap: options are checked and plugins applied, no file and no tensor is touched.
 */
export class Trainer implements TrainerApi {
  readonly hooks: TrainerHooks = createHooks();
  readonly options: TrainerOptions;
  /** Options with defaults filled in; deep-frozen. */
  readonly training: ResolvedTrainingOptions;
  readonly logger: Logger;
  readonly #parts: TrainerParts;
  readonly #watch: HookWatch;
  readonly #stream: EventStream;
  #planned: Promise<{ readonly planned: PlannedContext; readonly checkpoint: FoundCheckpoint | undefined }> | undefined;
  #stopReason: string | undefined;
  #isRunning = false;
  #failure: { readonly error: unknown } | undefined;
  #isBusy = false;

  /**
   * @throws THAW_CORE_TRAINING_INVALID, THAW_CORE_TRACKERS_INVALID, THAW_CORE_PLUGIN_NAME_TWICE,
   * THAW_CORE_PLUGIN_API_VERSION, THAW_CORE_PROVIDED_TWICE, THAW_CORE_PLUGIN_NEEDED, THAW_CORE_PLUGIN_FAILED
   */
  constructor(options: TrainerOptions) {
    this.options = options;
    const plugins = givenPlugins(options);
    const registry = new Registry([CORE_PROVIDER, ...plugins]);
    this.training = resolveTraining(options, registry);
    this.#stream = new EventStream(this.hooks, runFacts({ options, training: this.training }));
    this.logger = this.#stream.watched(options.logger ?? silentLogger);
    this.#watch = new HookWatch(this.hooks, RESULT_CHECKS);
    this.#parts = {
      hooks: this.hooks,
      watch: this.#watch,
      options,
      training: this.training,
      logger: this.logger,
      stream: this.#stream,
      settings: collectSettings(options, plugins),
      claims: new Map(plugins.map((plugin): [string, Claims] => [plugin.name, plugin.claims ?? {}])),
      registry,
    };
    for (const plugin of plugins) this.#watch.apply(plugin, this);
  }

  /**
   * Stops at `planned`, once for all calls; errors of users are findings of the result, not exceptions. @throws
   * THAW_CORE_CHECKPOINT_NOT_FOUND when resuming
   */
  async plan(): Promise<PlanResult> {
    const { planned } = await this.#plan();
    return { ...planned, isRefused: planned.findings.some(({ severity }) => severity === "error") };
  }

  /**
   * Plans, picks the backend and loads the weights, for evaluation and generation. The caller closes the session.
   * @throws THAW_CORE_PLAN_REFUSED
   */
  async open(): Promise<Session> {
    let loaded: LoadedModel | undefined;
    const open = await this.#busy(
      async () => {
        const { planned } = await this.#acceptedPlan();
        loaded = await loadModel(this.#parts, planned, { totalSteps: 0, ensemble: ALONE, isStatic: true });
        await this.hooks.initialize.promise(loaded.context);
        return loaded;
      },
      {
        onFailure: async () => {
          loaded?.dispose();
        },
      },
    );
    return new RunnerSession(
      open.runner,
      open.backend,
      () => 0,
      once(async () => {
        try {
          await this.hooks.shutdown.promise();
        } finally {
          open.dispose();
          this.#isBusy = false;
        }
      }),
    );
  }

  /**
   * The whole run. @throws THAW_CORE_PLAN_REFUSED, THAW_CORE_OPTION_MISSING and what the run meets; `failed` and
   * `shutdown` have fired then
   */
  async run(): Promise<RunSummary> {
    checkRunOptions(this.#parts);
    let run: TrainingRun | undefined;
    const onAbort = (): void => this.stop(abortText(this.options.signal));
    if (this.options.signal?.aborted === true) onAbort();
    this.options.signal?.addEventListener("abort", onAbort);
    this.#stream.begin(this.#stream.facts, 0);
    const summary = await this.#busy(
      async () => {
        const { planned, checkpoint } = await this.#acceptedPlan();
        const [stopReason, throwFailure] = [() => this.#stopReason, () => this.#throwFailure()];
        run = new TrainingRun({ parts: this.#parts, planned, checkpoint, stopReason, throwFailure });
        this.#isRunning = true;
        const done = await run.run();
        this.#isRunning = false;
        this.#throwFailure();
        await this.hooks.shutdown.promise();
        this.#logHooks();
        return done;
      },
      {
        rescue: async (error) => {
          this.#isRunning = false;
          return run?.rescue(error);
        },
        onFailure: async () => {
          await run?.dispose(true);
        },
      },
    ).finally(() => {
      this.options.signal?.removeEventListener("abort", onAbort);
      this.#stream.end();
    });
    try {
      await run?.dispose(false);
    } finally {
      this.#isBusy = false;
    }
    return summary;
  }

  /** Ends the run after the current step, with a checkpoint if a run folder is written. Later calls change nothing. */
  stop(reason: string): void {
    this.#stopReason ??= reason;
  }

  /**
   * Ends the run with an error from outside of hooks (a timer, a promise that nobody awaited), as if a tap had thrown
   * it: before the next micro-batch, with the state after the last whole step saved. Of several errors the first
   * counts. False where no run is under way that could end with it.
   */
  fail(error: unknown): boolean {
    if (!this.#isRunning) return false;
    this.#failure ??= { error };
    return true;
  }

  /** What `stop` was told first; undefined before. */
  get stopReason(): string | undefined {
    return this.#stopReason;
  }

  /**
   * The events of the next run, in order, until it ends: `for await (const event of trainer.events())`. Ask before
   * `run`; events wait until they are read, and `break` ends the waiting. Of several processes that of rank 0 tells.
   */
  events(): AsyncIterableIterator<RunEvent> {
    return this.#stream.iterate();
  }

  /** Every tap in calling order, with how often it ran and for how long. */
  describeHooks(): readonly TapDescription[] {
    return this.#watch.describe();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Which taps ran, in calling order, with times: for who looks for what costs time, or runs in the wrong order. */
  #logHooks(): void {
    for (const { hook, plugin, stage, callCount, durationMs } of this.describeHooks())
      if (callCount > 0)
        this.logger.debug(
          { hook, plugin, stage, callCount, durationMs },
          `Hook ${hook}: ${plugin} ran ${callCount} times, ${durationMs.toFixed(1)} ms in all.`,
        );
  }

  #plan() {
    this.#planned ??= this.#makePlan();
    return this.#planned;
  }

  async #makePlan() {
    const { resume } = this.options;
    const checkpoint = resume === undefined ? undefined : await findCheckpoint(resume.from);
    const planned = await makePlan({
      ...this.#parts,
      afterPlan: (plan, hash) =>
        checkpoint === undefined ? [] : judgePlanChange(checkpoint, plan, hash, resume?.acceptPlanChange === true),
    });
    return { planned, checkpoint };
  }

  async #acceptedPlan() {
    const result = await this.#plan();
    if (result.planned.findings.some(({ severity }) => severity === "error"))
      throw planRefused(result.planned.findings);
    return result;
  }

  /**
   * Begins the one thing that a trainer may do at a time. If it fails, `rescue` saves what there is, `failed` and
   * `shutdown` fire, then `onFailure` frees what is left.
   */
  async #busy<T>(work: () => Promise<T>, onError: OnError): Promise<T> {
    if (this.#isBusy) throw alreadyRunning();
    this.#isBusy = true;
    let onEmpty = (): void => {};
    const stalled = new Promise<never>((_, reject) => {
      onEmpty = () => {
        if (this.#watch.rejectPending() === 0) reject(runStalled());
      };
    });
    process.on("beforeExit", onEmpty);
    try {
      return await Promise.race([work(), stalled]);
    } catch (cause) {
      const error = await this.#fail(cause, onError);
      this.#isBusy = false;
      throw error;
    } finally {
      process.off("beforeExit", onEmpty);
      this.#watch.step = undefined;
    }
  }

  /** The first error is the one that is thrown; errors of the taps that clean up are logged. */
  async #fail(cause: unknown, { rescue, onFailure }: OnError): Promise<unknown> {
    const { plugin, hook, step } = (cause instanceof ThawError ? cause.details : {}) as {
      plugin?: string;
      hook?: string;
      step?: number;
    };
    const log = (later: unknown): void => {
      this.logger.error({ error: later }, later instanceof Error ? later.message : String(later));
    };
    const rescued = await rescue?.(cause);
    const error = rescued === undefined ? cause : withRescue(cause, rescued);
    if (rescued !== undefined && error === cause) this.logger.error({ saved: rescued.saved }, rescued.text);
    const saved = rescued?.saved === undefined ? {} : { saved: rescued.saved };
    if (this.#stream.step !== undefined)
      await this.#stream.emit(failedEvent(error, this.#stream.step, saved)).catch(log);
    await this.hooks.failed.promise({ error, plugin, hook, step, ...saved }).catch(log);
    if (hook !== "shutdown") await this.hooks.shutdown.promise().catch(log);
    await onFailure().catch(log);
    return error;
  }
}

/** What follows a failure, in this order. */
interface OnError {
  readonly rescue?: (error: unknown) => Promise<Rescue | undefined>;
  readonly onFailure: () => Promise<void>;
}

/** Why a signal was aborted, for people. */
function abortText(signal: AbortSignal | undefined): string {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason.message : String(reason);
}

/** The same answer for every call. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}
