export { append } from "./append.js";
export { IGNORE_INDEX } from "./batch.js";
export type { Batch, BatchSource, LoadedBatch, MediaItem, Rows, RowSavings, RowSize } from "./batch.js";
export type { DatasetFormat, FormatContext, SampleSet } from "./provides/dataset-format.js";
export { causeText, ThawError, thrownAt } from "./error.js";
export { ownersOfItems, ownersOfTokens, type FindOwners, type RowOwners } from "./rows/row-owners.js";
export { itemsOf, outputOffsets, placeholderRows, rowOffsets } from "./media.js";
export type {
  ComponentDeclaration,
  GenerationOptions,
  Initializer,
  LoadedValues,
  MediaTokens,
  Model,
  ModelOutput,
  ParameterInfo,
  RowCounts,
  SamplingOptions,
  Scope,
  Segment,
  StoredTensor,
} from "./model.js";
export {
  fileInFolder,
  makeFolders,
  makeFoldersSync,
  MAX_TEXT_BYTES,
  openPlainFile,
  readPlainFile,
} from "./plain-file.js";
export type {
  Direction,
  JudgedChoice,
  Metric,
  MetricFactory,
  Score,
  ScoredAnswer,
  ScoredChoices,
  ScoredLoss,
} from "./provides/metric.js";
export type { GradientFlow, Plan, PlanEntry, PlanPhase, PlanReason } from "./plan.js";
export type {
  ProvidedFormats,
  ProvidedMetrics,
  ProvidedOptimizers,
  ProvidedSchedules,
  ProvidedTrackers,
} from "./provides/provided-options.js";
export type { Provided, Provider, Provides } from "./provides/provides.js";
export { enterTap, runningTap, type TapPlace } from "./running.js";
export type { Claims, Edit, Finding, Origin, Rule, RuleInfo, Setting, Severity } from "./settings.js";
export { mulberry32, type Random } from "./random.js";
export { elementCount, FLOAT32_BYTES, float32Bytes } from "./sizes.js";
export type {
  ImageReference,
  MediaPart,
  MediaReference,
  Message,
  MessagePart,
  Modality,
  Sample,
  SampleChoices,
  SampleMedia,
  TextPart,
} from "./provides/sample.js";
export type { StandardResult, StandardSchema } from "./provides/schema.js";
export {
  bytesText,
  countText,
  cut,
  cutFinding,
  cutWords,
  durationText,
  keepSecret,
  parseJson,
  shown,
  withoutSecrets,
} from "./text.js";
export {
  editDistance,
  isSegmentPrefix,
  longestPrefix,
  nameList,
  nearestNames,
  ownerByPrefix,
  ownersByPrefix,
  toCamelCase,
  toSnakeCase,
} from "./words.js";
