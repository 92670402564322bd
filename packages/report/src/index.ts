export { serveLivePage, type LivePage, type LivePageOptions } from "./live/live-page.js";
export { renderReport } from "./page/page.js";
export { compareRuns, type Difference, type LossPair, type RunComparison } from "./run/compare-runs.js";
export { listRuns, runsAt, type ListedRun } from "./run/list-runs.js";
export { metricText } from "./run/metric-words.js";
export { readMeasured, readRun } from "./run/read-run.js";
export type {
  Comparison,
  ComparisonSide,
  RunChange,
  RunConfig,
  RunData,
  RunPlan,
  RunSample,
  RunStatus,
} from "./run/run-data.js";
export { REPORT_FILE, writeComparison, writeReport } from "./write-report.js";
