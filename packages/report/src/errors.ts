import { causeText, ThawError } from "@thaw/core";

/** The folder holds no run. */
export function notARun(folder: string): ThawError {
  return new ThawError(
    "THAW_REPORT_NOT_A_RUN",
    `${folder} is not a run: it has no plan.json. Name the folder that "Run:" says at the end of thaw train.`,
    { details: { folder } },
  );
}

/** Where runs are looked for is no folder. */
export function noRuns(folder: string): ThawError {
  return new ThawError(
    "THAW_REPORT_NO_RUNS",
    `${folder} is not a folder. Name the one that "output" of the config names.`,
    { details: { folder } },
  );
}

/** A file of the report could not be written. */
export function reportUnwritable(path: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_REPORT_UNWRITABLE",
    `The report could not be written: ${causeText(cause)}. At ${path}; ` +
      "nothing was left there. Check free space and permissions.",
    { details: { path }, cause },
  );
}
