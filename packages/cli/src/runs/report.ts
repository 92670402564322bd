import { basename, resolve } from "node:path";
import { runsAt, writeReport } from "@thaw/report";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw report`. */
export interface ReportOptions {
  readonly json?: boolean;
}

/**
 * Writes the report of a run of any state into its folder, and prints its path; of a staged run one for each stage that
 * has begun. @throws THAW_REPORT_NOT_A_RUN, THAW_REPORT_UNWRITABLE
 */
export async function report(path: string, options: ReportOptions, terminal: Terminal): Promise<number> {
  const folder = resolve(path);
  const runs = await runsAt(folder, basename(folder));
  // What is no run is named by the error of reading it
  const folders = runs.length === 0 ? [folder] : runs.map((run) => run.folder);
  for (const run of folders) {
    const written = await writeReport(run);
    terminal.out(options.json === true ? JSON.stringify({ report: written }) : written);
  }
  return 0;
}
