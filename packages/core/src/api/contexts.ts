import type { Bfloat16Products, Value } from "@thaw/autograd";
import type {
  Batch,
  BatchSource,
  ComponentDeclaration,
  Finding,
  GradientFlow,
  MediaItem,
  Model,
  ModelOutput,
  ParameterInfo,
  Plan,
  RowCounts,
  Scope,
  Rows,
  Setting,
  Claims,
} from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Ensemble } from "../ensemble/ensemble.js";
import type { OptimizerPlan } from "./optimizer.js";
import type { SavedState } from "./summary.js";
import type { AddedEvent } from "../stream/run-event.js";
import type { Precision, ResolvedTrainingOptions } from "./options.js";

/** What is known before a weight is read. */
export interface PlanningContext {
  readonly model: Model;
  readonly components: readonly ComponentDeclaration[];
  /** All parameters after the `parameters` hook. */
  readonly parameters: readonly ParameterInfo[];
  /** Parameter to component; names that no component owns, or two do, are absent and already reported. */
  readonly owners: ReadonlyMap<string, string>;
  /** Every setting of the run with its origin, plugins' included. */
  readonly settings: readonly Setting[];
  /** Claims of every plugin, by plugin name. */
  readonly claims: ReadonlyMap<string, Claims>;
  readonly training: ResolvedTrainingOptions;
  /** Steps of the whole run, where it is known before data is read. */
  readonly totalSteps?: number;
  readonly stepsPerEpoch?: number;
  /** Reports a user's error, conflict or note; taps never throw for those. */
  readonly report: (finding: Finding) => void;
}

/** What settings ask a component to get beside its own parameters. A plugin that knows the kind adds it. */
export interface ComponentRequest {
  /** The word by which settings ask for it. */
  readonly kind: string;
  readonly component: string;
  /** As given, keys in camel case; absent ones are the answering plugin's defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The settings that ask, the deciding one first. */
  readonly settings: readonly Setting[];
}

/** What the `parameters` hook is told. */
export interface ParametersContext extends Pick<PlanningContext, "model" | "settings" | "report"> {
  /** From the `requests` hook. */
  readonly requests: readonly ComponentRequest[];
}

/** Optimizer settings of a group of parameters; a group is a component unless a plugin changes it. */
export interface ParameterGroup {
  readonly name: string;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly schedule: ResolvedTrainingOptions["schedule"];
  /** Global-norm clip of this group alone; null: it is not clipped; absent: it takes part in the run's clip. */
  readonly clipNorm?: number | null;
  /** What the rate of a layer is multiplied by for each layer of its component behind it. Absent: 1. */
  readonly layerDecay?: number;
  /** Step from which the group's schedule counts. */
  readonly fromStep?: number;
}

/** What rules and `findings` see. */
export interface RuleContext extends PlanningContext {
  readonly plan: Plan;
  /** From the `requests` hook: what trains beside a component's own parameters, also where no checkpoint is there. */
  readonly requests: readonly ComponentRequest[];
  readonly groups: readonly ParameterGroup[];
  readonly optimizer: OptimizerPlan;
  /** Flow class per segment in the first phase. */
  readonly flows: ReadonlyMap<string, GradientFlow>;
  /** Sources that the run reads, by name (`train`, evaluation names); `sampleCount` where samples are counted. */
  readonly sources: ReadonlyMap<string, SourceFacts>;
}

type SourceFacts = Pick<BatchSource, "augmentations" | "views" | "textOnlyShare"> &
  Partial<Pick<BatchSource, "sampleCount">>;

export interface PlannedContext extends RuleContext {
  readonly findings: readonly Finding[];
  /** sha256 of the plan's table. */
  readonly planHash: string;
}

/** A backend that was made current. */
export interface Backend {
  /** As TensorFlow.js registers it: `wasm`, `cpu`, `tensorflow`, `webgpu`. */
  readonly name: string;
  readonly description: string;
  /** How this backend multiplies fastest; see `@thaw/autograd`'s `MatmulStrategy`. */
  readonly matmul: "flags" | "plain2d";
  /**
   * Up to how many bytes small parameters are joined for an update: an op for all instead of one for each. Default 32
   * kB, what a processor's cache holds.
   */
  readonly joinBytes?: number;
  /** What it can beside `float32`; a run that asks for another precision is refused. */
  readonly precisions?: readonly Precision[];
  /** Products with weights in bfloat16; present where `precisions` has it. */
  readonly bfloat16?: Bfloat16Products;
  /** Takes a new tensor's values over now, so that those on the host can go; else the first operation on it does. */
  readonly upload?: (tensor: Tensor) => void;
  /** True where tensors are in memory of a device's own, to which values have to travel. */
  readonly hasOwnMemory?: boolean;
  /** Bytes of that memory that were free before the backend took any. Absent: not known. */
  readonly freeBytes?: number;
  readonly dispose?: () => void;
}

export interface BackendContext {
  readonly settings: readonly Setting[];
  /** `training.precision`: what the run will ask of the backend. */
  readonly precision: Precision;
}

/** What connects processes is told. */
export interface EnsembleContext {
  /** How many train together, at least 2. */
  readonly processes: number;
  readonly settings: readonly Setting[];
}

/** What a run is: known before a weight is read. */
export interface RunFacts {
  /** The run folder's own name, or `runName` where nothing is written. */
  readonly name: string;
  /** 0 for a session that was given none. */
  readonly seed: number;
  /** Where the model came from: `Model.source`. */
  readonly model: string;
  /** As `config.json` of the run folder has it. */
  readonly config: unknown;
  readonly training: ResolvedTrainingOptions;
  /** Absent if nothing is written: also on ranks above 0. */
  readonly runFolder?: string;
}

export interface RunContext extends RunFacts {
  readonly plan: Plan;
  readonly planHash: string;
  readonly totalSteps: number;
  readonly backend: Backend;
  /**
   * The processes that train together; of size 1 for a run by itself and in sessions. Who writes does so on rank 0, who
   * uses `gather` or `sum` does so on every rank, at the same place.
   */
  readonly ensemble: Ensemble;
  /** Peak bytes in tensors since the last call, and now. */
  readonly memory: () => { readonly bytes: number; readonly peakBytes: number };
  /** Current value of a parameter, on the host. */
  readonly readParameter: (name: string) => Promise<Float32Array>;
  /** Adds to the run's stream of events (the hook `record`): samples, baselines, warnings. */
  readonly record: (event: AddedEvent) => Promise<void>;
}

export interface EpochContext extends RunContext {
  readonly epoch: number;
}

export interface StepContext extends RunContext {
  readonly epoch: number;
  /** From 0. */
  readonly step: number;
}

export interface BatchContext {
  readonly purpose: "train" | "evaluate" | "generate";
  readonly step: number;
  readonly plan: Plan;
  /** Flow class of each segment now: what is `prefix` may be cached. */
  readonly flows: ReadonlyMap<string, GradientFlow>;
  /**
   * sha256 of the values of all parameters that a segment's output depends on, those of segments before it included:
   * part of a cache key.
   */
  readonly segmentFingerprint: (segment: string) => Promise<string>;
  /**
   * Runs one segment that reads items, unrecorded, on those of the given ones that it reads: their rows, in order; the
   * caller owns the tensor.
   */
  readonly runSegment: (segment: string, media: readonly MediaItem[]) => Promise<Rows>;
  /**
   * Frees the parameters that only this segment reads, for as long as every batch brings its output in
   * `segmentOutputs`; core reads them from the model again when one does not. Frees nothing of a segment that trains in
   * some phase. Returns the freed bytes.
   */
  readonly releaseSegment: (segment: string) => Promise<number>;
}

/** The forward pass that a scope is for. */
export interface ScopeContext {
  /** `segment`: one segment alone, for a cache. */
  readonly purpose: "train" | "evaluate" | "generate" | "segment";
  readonly step: number;
  /**
   * From 0 within the step, counted over all ranks: the same samples have the same number, whichever rank has them. 0
   * outside training.
   */
  readonly microBatch: number;
  /** Ids of the samples of a batch that trains, by its rows. Absent elsewhere. */
  readonly samples?: readonly string[];
}

export interface LossContext {
  readonly step: number;
  readonly batch: Batch;
  readonly output: ModelOutput;
  readonly scope: Scope;
  /** Supervised tokens of this micro-batch: the loss is summed, core divides by those of the whole step. */
  readonly supervisedTokenCount: number;
  /**
   * The output of a segment in this forward pass, if that segment ran or was substituted; `splitColumns` takes the
   * outputs apart that it declares.
   */
  readonly segmentOutput: (segment: string) => Value | undefined;
}

export interface AfterStepContext extends StepContext {
  /** Mean over the step's supervised tokens, extra loss terms included. */
  readonly loss: number;
  /** L2 over all trained parameters before clipping. */
  readonly gradientNorm: number;
  /** The same of each component that has a gradient, by name. */
  readonly gradientNorms: Readonly<Record<string, number>>;
  /**
   * By component, every tenth step from the first on: L2 of what the update changed over L2 of what it was before.
   * About 1e-3 is usual; far more is a learning rate that is too high, far less one that is too low.
   */
  readonly updateRatios?: Readonly<Record<string, number>>;
  /** By group. */
  readonly learningRates: Readonly<Record<string, number>>;
  readonly supervisedTokens: number;
  /** Padding excluded. */
  readonly tokens: number;
  /** Rows of the step's passes and those that were left out, where the model counts them. */
  readonly rowCounts?: RowCounts;
  /** From the first micro-batch's start to the update's end. */
  readonly durationMs: number;
  /** Waiting for batches, also before the step; forward and backward; the update. Hooks are in none of them. */
  readonly times: { readonly loadMs: number; readonly passesMs: number; readonly updateMs: number };
  /** Most bytes in tensors during the step, weights included. */
  readonly peakBytes: number;
}

export interface EvaluatedContext extends StepContext {
  /** Name of the evaluation. */
  readonly name: string;
  readonly metrics: Readonly<Record<string, number>>;
  /** The metrics of which less is better; absent where the evaluation does not say. */
  readonly lower?: readonly string[];
  readonly durationMs: number;
}

export interface ExportContext {
  readonly parameter: ParameterInfo;
  /** Current value of a parameter, on the host. */
  readonly readParameter: (name: string) => Promise<Float32Array>;
}

export interface MetricsCollector {
  readonly add: (name: string, value: number) => void;
}

export interface StopDecision {
  readonly stop: "run" | "epoch";
  readonly reason: string;
}

/** Plugin state by plugin name; JSON values. */
export type CheckpointState = Readonly<Record<string, unknown>>;

export interface CheckpointContext extends StepContext {
  readonly folder: string;
}

export interface FailedContext {
  readonly error: unknown;
  readonly hook?: string;
  readonly plugin?: string;
  readonly step?: number;
  /** Where the state after the last whole step is; absent where no step was made, or it could not be saved. */
  readonly saved?: SavedState;
}
