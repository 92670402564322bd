import type { Value } from "@thaw/autograd";
import type { Batch, Finding, ParameterInfo, Plan, Rule, Scope } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import {
  AsyncSeriesBailHook,
  AsyncSeriesHook,
  AsyncSeriesWaterfallHook,
  SyncBailHook,
  SyncHook,
  SyncWaterfallHook,
} from "tapable";
import type { Ensemble } from "../ensemble/ensemble.js";
import type { Optimizer } from "./optimizer.js";
import type { RunSummary } from "./summary.js";
import type { ResolvedTrainingOptions } from "./options.js";
import type {
  PlanningContext,
  ComponentRequest,
  ParametersContext,
  ParameterGroup,
  RuleContext,
  PlannedContext,
  Backend,
  BackendContext,
  EnsembleContext,
  RunContext,
  EpochContext,
  StepContext,
  BatchContext,
  ScopeContext,
  LossContext,
  AfterStepContext,
  EvaluatedContext,
  ExportContext,
  MetricsCollector,
  StopDecision,
  CheckpointState,
  CheckpointContext,
  FailedContext,
  RunFacts,
} from "./contexts.js";
import type { RunEvent } from "../stream/run-event.js";

/** Order of taps on one hook: lower runs first. */
export const STAGE_EARLY = -100;
export const STAGE_DEFAULT = 0;
export const STAGE_LATE = 100;

/**
 * The lifecycle, in firing order. Frozen and readonly. Async hooks are awaited one tap after the other; tensors in
 * payloads are borrowed unless stated; a waterfall tap always returns the value it was given or a new one.
 */
function makeHooks() {
  return Object.freeze({
    /**
     * Async series, once: plugins that read settings say what these ask a component to get, for the plugins that make
     * it.
     */
    requests: new AsyncSeriesHook<
      [{ readonly add: (request: ComponentRequest) => void }, Pick<PlanningContext, "model" | "settings" | "claims">]
    >(["collector", "context"]),
    /**
     * Async waterfall, once: the named parameters, from headers; no tensor exists. Return the list, with yours added.
     */
    parameters: new AsyncSeriesWaterfallHook<[readonly ParameterInfo[], ParametersContext]>(["parameters", "context"]),
    /**
     * Async waterfall, once: the trainability plan; the only place where trainability may change. Starts with
     * everything trained. Leave out what you cannot decide, and report why.
     */
    plan: new AsyncSeriesWaterfallHook<[Plan, PlanningContext]>(["plan", "context"]),
    /** Sync waterfall, once: learning rate, weight decay, schedule and clip per group. */
    parameterGroups: new SyncWaterfallHook<[readonly ParameterGroup[], PlanningContext & { readonly plan: Plan }]>([
      "groups",
      "context",
    ]),
    /** Sync, once: plugins hand in rules, which core then runs. */
    rules: new SyncHook<[{ readonly add: (rule: Rule<RuleContext>) => void }]>(["collector"]),
    /** Sync, once: plugins report findings that are not a rule's. */
    collectIssues: new SyncHook<[{ readonly report: (finding: Finding) => void }, RuleContext]>([
      "collector",
      "context",
    ]),
    /**
     * Sync waterfall, once: all findings; a tap may change severities or drop some. Core's own about an incomplete plan
     * come after it.
     */
    findings: new SyncWaterfallHook<[readonly Finding[], RuleContext]>(["findings", "context"]),
    /** Async series, once: the plan is frozen and hashed. No backend yet. An error finding ends the run right after. */
    planned: new AsyncSeriesHook<[PlannedContext]>(["context"]),
    /**
     * Async bail, once per run of several processes, right after planning: one plugin connects this one with the
     * others. Core closes what it gets.
     */
    resolveEnsemble: new AsyncSeriesBailHook<[EnsembleContext], Ensemble | undefined>(["context"]),
    /**
     * Async bail, once: one plugin makes a TensorFlow.js backend current and names it; without an answer the current
     * one is used.
     */
    resolveBackend: new AsyncSeriesBailHook<[BackendContext], Backend | undefined>(["context"]),
    /** Sync bail, once per run: an optimizer instead of the one that `training.optimizer` names. Core disposes it. */
    resolveOptimizer: new SyncBailHook<
      [{ readonly training: ResolvedTrainingOptions; readonly groups: readonly ParameterGroup[] }],
      Optimizer | undefined
    >(["context"]),
    /**
     * Async series, once per run or session: the backend is there and the weights are loaded; open files, start
     * writers.
     */
    initialize: new AsyncSeriesHook<[RunContext]>(["context"]),
    /**
     * Async series, once, if the run resumes: parameters, optimizer and position are those of the checkpoint; take your
     * state back by your name.
     */
    restored: new AsyncSeriesHook<[CheckpointState, CheckpointContext]>(["state", "context"]),
    /** Async series, once per run, before the first evaluation and step. */
    beforeRun: new AsyncSeriesHook<[RunContext]>(["context"]),
    /** Async series, once per epoch; again for an epoch that is resumed in its middle. */
    beforeEpoch: new AsyncSeriesHook<[EpochContext]>(["context"]),
    /** Async series, once per step, before its first micro-batch. */
    beforeStep: new AsyncSeriesHook<[StepContext]>(["context"]),
    /**
     * Async waterfall, once per micro-batch, evaluation and generation included: change or replace it, or set
     * `segmentOutputs`, whose tensors core disposes.
     */
    batch: new AsyncSeriesWaterfallHook<[Batch, BatchContext]>(["batch", "context"]),
    /**
     * Sync waterfall, once a forward pass: what the model reads weights through. Return it, or one that wraps it (a
     * `ScopeLayer`): whatever the wrapper does goes through the given scope. Ops on what it gives are recorded where
     * they must be.
     */
    scope: new SyncWaterfallHook<[Scope, ScopeContext]>(["scope", "context"]),
    /**
     * Sync waterfall, once a training micro-batch: the summed loss, with extra terms. Runs while recording; what ops
     * make, the tape frees.
     */
    loss: new SyncWaterfallHook<[Value, LossContext]>(["loss", "context"]),
    /**
     * Sync waterfall, once per step, in `tf.tidy`: named gradients after accumulation and division, before clipping.
     * Values may change, names may not.
     */
    gradients: new SyncWaterfallHook<[ReadonlyMap<string, Tensor>, StepContext]>(["gradients", "context"]),
    /** Async series, once per step, after the update. No tensors of the step are left. */
    afterStep: new AsyncSeriesHook<[AfterStepContext]>(["context"]),
    /** Sync, once per step after `afterStep`: names and numbers for the step's event. */
    collectMetrics: new SyncHook<[MetricsCollector, AfterStepContext]>(["collector", "context"]),
    /**
     * Async series, whenever something happened that is worth telling: started, step, evaluated, baseline, sample,
     * checkpoint, warning, and at the end done or failed. All there is to know of a run from outside comes by here;
     * files, the terminal, reports and trackers are told by it alone, on rank 0 of several processes. Nothing that a
     * tap does changes the run.
     */
    record: new AsyncSeriesHook<[RunEvent, RunFacts]>(["event", "facts"]),
    /**
     * Async series, after each evaluation: before the first step, between steps, at the end. `step` counts the steps
     * done.
     */
    evaluated: new AsyncSeriesHook<[EvaluatedContext]>(["context"]),
    /** Sync bail, once per step, after evaluations: ends the epoch or the run with a reason. */
    shouldStop: new SyncBailHook<[AfterStepContext], StopDecision | undefined>(["context"]),
    /**
     * Async series, once per epoch, after its last step; not for an epoch that `Trainer.stop` cuts, which goes on when
     * resumed.
     */
    afterEpoch: new AsyncSeriesHook<[EpochContext]>(["context"]),
    /**
     * Async waterfall, at each checkpoint, after everything else of the step: plugin state by plugin name, JSON values.
     * `step` counts the steps done. After a failure too, perhaps in the middle of the next step: give what holds after
     * `step` steps.
     */
    checkpoint: new AsyncSeriesWaterfallHook<[CheckpointState, CheckpointContext]>(["state", "context"]),
    /**
     * Async waterfall, once per parameter whenever a complete checkpoint is written (`Session.save`): its values as
     * they are to be read without plugins.
     */
    exported: new AsyncSeriesWaterfallHook<[Float32Array, ExportContext]>(["values", "context"]),
    /**
     * Async series, once at the end of a run that did not fail, weights still there. A tap may add lines and numbers to
     * the summary it is given.
     */
    done: new AsyncSeriesHook<[RunSummary, RunContext]>(["summary", "context"]),
    /** Async series, once when a run or the opening of a session fails. */
    failed: new AsyncSeriesHook<[FailedContext]>(["context"]),
    /** Async series, always last: release what was opened. The backend is still there. */
    shutdown: new AsyncSeriesHook<[]>([]),
  });
}

type Hooks = ReturnType<typeof makeHooks>;

/** A hook whose `tap` takes no async function: nobody would wait for it. Those are for `tapPromise`. */
type Tappable<Hook> = Hook extends { tap(options: infer Options, fn: (...args: infer Values) => infer Result): void }
  ? Omit<Hook, "tap"> & {
      tap(options: Options, fn: (...args: Values) => Awaitless<Result>): void;
    }
  : never;
/** A result that no promise passes for: a function of `void` may return anything. */
type Awaitless<Result> = [Result] extends [void] ? void | undefined : Result;

/** A trainer's hooks, in firing order. */
export type TrainerHooks = { readonly [Name in keyof Hooks]: Tappable<Hooks[Name]> };

/** The hooks of a new trainer. */
export function createHooks(): TrainerHooks {
  return makeHooks();
}
