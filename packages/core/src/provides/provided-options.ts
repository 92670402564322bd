export type {
  ProvidedFormats,
  ProvidedMetrics,
  ProvidedOptimizers,
  ProvidedSchedules,
  ProvidedTrackers,
} from "@thaw/contracts";
