export { renderReport } from "./page/page.js";
export { readRun } from "./run/read-run.js";
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
