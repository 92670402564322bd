import { join } from "node:path";
import { writeAtomically } from "@thaw/core";
import { reportUnwritable } from "./errors.js";
import { renderReport } from "./page/page.js";
import { COMPARISON_FILE } from "./run/read-run.js";
import type { Comparison } from "./run/run-data.js";

/** The report's name in a run folder. */
export const REPORT_FILE = "report.html";

/**
 * Writes the report into the run folder as `report.html`, whole or not at all; returns its path.
 * @throws THAW_REPORT_NOT_A_RUN, THAW_REPORT_UNWRITABLE
 */
export async function writeReport(runFolder: string): Promise<string> {
  return writeWhole(runFolder, REPORT_FILE, await renderReport(runFolder));
}

/**
 * Keeps a comparison with everything trainable with its run, for reports; returns its path.
 * @throws THAW_REPORT_UNWRITABLE
 */
export function writeComparison(runFolder: string, comparison: Comparison): Promise<string> {
  return writeWhole(runFolder, COMPARISON_FILE, `${JSON.stringify(comparison, null, 2)}\n`);
}

async function writeWhole(folder: string, name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeAtomically(file, (handle) => handle.writeFile(text)).catch((cause: unknown) => {
    throw reportUnwritable(file, cause);
  });
  return file;
}
