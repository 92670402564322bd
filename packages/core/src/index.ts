export {
  add,
  addScalar,
  attention,
  AutogradError,
  concat,
  crossEntropy,
  div,
  dropout,
  embedding,
  exp,
  gatherRows,
  geglu,
  gelu,
  geluTanh,
  joinColumns,
  layerNorm,
  LayoutCache,
  linear,
  log,
  matmul,
  mean,
  mul,
  pad,
  quickGelu,
  release,
  relu,
  reshape,
  rmsNorm,
  rotary,
  scale,
  scatterRows,
  sigmoid,
  silu,
  slice,
  softmax,
  softmaxCrossEntropy,
  splitColumns,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  swiglu,
  tanh,
  Tape,
  tensorflowBfloat16,
  transpose,
  wordsOfBfloat16,
} from "@thaw/autograd";
export type {
  AttentionOptions,
  Bfloat16Products,
  CompileFunction,
  CrossEntropyOptions,
  FunctionInput,
  FusedCrossEntropyOptions,
  MatmulOptions,
  MatmulStrategy,
  NamedColumns,
  Narrowed,
  RmsNormOptions,
  TapeOptions,
  TensorFunction,
  TensorFunctions,
  Value,
} from "@thaw/autograd";
export {
  causeText,
  cut,
  cutFinding,
  keepSecret,
  append,
  bytesText,
  durationText,
  makeFolders,
  makeFoldersSync,
  MAX_TEXT_BYTES,
  fileInFolder,
  readPlainFile,
  countText,
  editDistance,
  elementCount,
  FLOAT32_BYTES,
  float32Bytes,
  IGNORE_INDEX,
  isSegmentPrefix,
  itemsOf,
  longestPrefix,
  mulberry32,
  nameList,
  nearestNames,
  outputOffsets,
  ownerByPrefix,
  ownersByPrefix,
  placeholderRows,
  rowOffsets,
  shown,
  ThawError,
  thrownAt,
  withoutSecrets,
  toCamelCase,
  toSnakeCase,
} from "@thaw/contracts";
export type {
  Batch,
  BatchSource,
  Claims,
  ComponentDeclaration,
  DatasetFormat,
  Direction,
  Edit,
  Finding,
  FormatContext,
  GradientFlow,
  Initializer,
  JudgedChoice,
  LoadedBatch,
  MediaItem,
  MediaReference,
  MediaTokens,
  Message,
  MessagePart,
  Metric,
  MetricFactory,
  Modality,
  Model,
  ModelOutput,
  Origin,
  ParameterInfo,
  Plan,
  PlanEntry,
  PlanPhase,
  PlanReason,
  Provided,
  Provider,
  Provides,
  RowCounts,
  Rows,
  RowSavings,
  RowSize,
  Rule,
  RuleInfo,
  Sample,
  SampleChoices,
  SampleMedia,
  SampleSet,
  Scope,
  Score,
  ScoredAnswer,
  ScoredChoices,
  ScoredLoss,
  Segment,
  Setting,
  Severity,
  StandardResult,
  StandardSchema,
  StoredTensor,
} from "@thaw/contracts";
export {
  checkBytes,
  checkHeader,
  firstNotFinite,
  MANIFEST_FILE,
  openSafetensors,
  parseManifest,
  proofOf,
  writeAtomically,
  writeManifest,
  writeSafetensors,
  type Manifest,
} from "@thaw/safetensors";
export type { SafetensorsReader, TensorDeclaration, TensorEntry } from "@thaw/safetensors";
export { findCheckpoint, type FoundCheckpoint } from "./checkpoint/read-checkpoint.js";
export { eventNumbers, tokensPerSecond } from "./stream/metrics-line.js";
export type { BaselineEvent, EvaluatedEvent, MetricsLine, StepEvent } from "./stream/metrics-line.js";
export { checkRunSums } from "./checkpoint/run-sums.js";
export { isRunHeld, lockRun } from "./checkpoint/run-lock.js";
export { readLog, readMetrics, readSamples, type LogLine, type SampleLine } from "./stream/run-log.js";
export { picturePath } from "./stream/run-log-files.js";
export type { AddedEvent, EventImage, RunEvent, SampleEvent } from "./stream/run-event.js";
export type { DataPosition, RunState, RunTotals } from "./api/state.js";
export {
  CHECKPOINTS_FOLDER,
  FINAL_FOLDER,
  OPTIMIZER_FILE,
  STATE_FILE,
  TRAINED_FILE,
} from "./checkpoint/write-checkpoint.js";
export { activationBytes } from "./plan/activation-bytes.js";
export * from "./trackers/options.js";
export { defineTracker } from "./trackers/tracker.js";
export type * from "./trackers/tracker.js";
export { definePlugin } from "./api/define-plugin.js";
export { findingText } from "./errors/options.js";
export { createHooks, STAGE_DEFAULT, STAGE_EARLY, STAGE_LATE } from "./api/hooks.js";
export type {
  AfterStepContext,
  Backend,
  BackendContext,
  BatchContext,
  CheckpointContext,
  CheckpointState,
  ComponentRequest,
  EpochContext,
  EvaluatedContext,
  ExportContext,
  FailedContext,
  LossContext,
  MetricsCollector,
  ParameterGroup,
  ParametersContext,
  PlannedContext,
  PlanningContext,
  RuleContext,
  RunContext,
  RunFacts,
  ScopeContext,
  StepContext,
  StopDecision,
} from "./api/contexts.js";
export type { TrainerHooks } from "./api/hooks.js";
export type { TapDescription } from "./run/intercept.js";
export { freeBytes } from "./checkpoint/disk-space.js";
export { savingText } from "./checkpoint/saving.js";
export { ALONE, agree, type Ensemble, type LostRank } from "./ensemble/ensemble.js";
export { deviceMemory, type DeviceMemory } from "./ensemble/device-memory.js";
export { memoryEnsembles } from "./ensemble/memory-ensemble.js";
export { rankLost } from "./errors/ensemble.js";
export { backendInUse } from "./model/backend.js";
export { backendIsInUse } from "./errors/options.js";
export { linearLayer } from "./model/linear-layer.js";
export { silentLogger, type Logger, type LogMethod } from "./api/logger.js";
export { ApartOptimizer, type ApartRule, type ApartStep } from "./optimize/apart.js";
export { ElementwiseOptimizer, type ElementwiseRule, type ElementwiseStep } from "./optimize/elementwise.js";
export type { UpdateNumbers } from "./optimize/numbers.js";
export { OPTIMIZERS } from "./optimizers/list.js";
export { CORE_PROVIDER } from "./provides/core-provider.js";
export { adamShape, commonOptimizerShape } from "./optimizers/options.js";
export { SCHEDULES } from "./schedules/list.js";
export { commonScheduleShape } from "./schedules/options.js";
export { defineSchedule, type ScheduleFactory, type SchedulePoint } from "./schedules/schedule.js";
export { defineOptimizer } from "./api/optimizer.js";
export type {
  GroupRates,
  OptimizedParameter,
  Optimizer,
  OptimizerFactory,
  OptimizerMaking,
  OptimizerPlan,
  UpdateContext,
} from "./api/optimizer.js";
export { PRECISIONS, trainingSchema, trainingSchemaOf } from "./api/options.js";
export type { Precision, ResolvedTrainingOptions, TrainingChoices, TrainingOptions } from "./api/options.js";
export { classifyFlows, componentFlows } from "./plan/flow.js";
export { resolveOwners } from "./plan/owners.js";
export { deepFreeze, everTrained, hashPlan, phaseAt, trainedNames } from "./plan/plan.js";
export { diffPlans, planDiffTable, type PlanDifference } from "./plan/plan-diff.js";
export { planGraph, type GraphComponent } from "./plan/plan-graph.js";
export { keptBytes } from "./plan/frozen-forms.js";
export { stretchMs, TELLING_STEPS } from "./estimate/step-times.js";
export {
  planMemory,
  planReport,
  type ComponentMemory,
  type ComponentReport,
  type PlanReport,
} from "./plan/plan-report.js";
export { runLength, type RunLength } from "./plan/run-length.js";
export { API_VERSION, type Plugin, type PluginDefinition, type PluginFactory } from "./api/plugin.js";
export type * from "./provides/command.js";
export type * from "./provides/provided-options.js";
export { Registry, type ProvidedEntry, type ProvidedKind } from "./provides/registry.js";
export { deadGradientLines } from "./training/dead-gradients.js";
export { sumRowCounts } from "./training/accumulator.js";
export { MemoryWatch } from "./model/memory-watch.js";
export { seededRandom } from "./run/random.js";
export { innermost, isInside, outermost, outerOf, outersOf, readersOf } from "./segments/segments.js";
export { ownersOfItems, ownersOfTokens, type FindOwners, type RowOwners } from "@thaw/contracts";
export { ScopeLayer } from "./model/scope-layer.js";
export type { BatchLoss, Session } from "./api/session.js";
export { joinSettings, settingsOf } from "./api/settings.js";
export { handoverFindings, stageFinding, type PlannedStage } from "./stages/handover.js";
export { runStages } from "./stages/run-stages.js";
export type {
  OpenStage,
  Stage,
  StageContext,
  StageOptions,
  StagesOptions,
  StagesSummary,
} from "./stages/run-stages.js";
export { readStagedRun, STAGES_FILE, stageState, trainedFile } from "./stages/stages-file.js";
export type { StagedRun, StageRecord, StageState } from "./stages/stages-file.js";
export type { BestSummary, DeadGradient, FrozenProof, RunSummary, SavedState } from "./api/summary.js";
export type { Evaluator, LossMetric, ResumeOptions, RunOptions } from "./api/run-options.js";
export type { PlanResult, TrainerApi } from "./api/trainer-api.js";
export type { TrainerOptions } from "./api/trainer-options.js";
export { Trainer } from "./run/trainer.js";
