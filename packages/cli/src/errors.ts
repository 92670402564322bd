import { ThawError } from "@thaw/contracts";

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The report could not be written. */
export function reportUnwritable(file: string, cause: unknown): ThawError {
  return new ThawError("THAW_CLI_REPORT_UNWRITABLE", `The report could not be written: ${reasonOf(cause)}. At ${file}; nothing was left there. Check free space and permissions.`, { details: { file }, cause });
}

/** A folder is neither a run nor a checkpoint. */
export function notARunOrCheckpoint(folder: string, reason: string): ThawError {
  return new ThawError("THAW_CLI_NOT_A_RUN", `The folder is neither a run nor a checkpoint: ${reason}. At ${folder}. Give a run folder (with config.json and final/) or a Hugging Face checkpoint folder.`, { details: { folder } });
}

/** A run folder whose run has not reached its end. */
export function runNotFinished(folder: string): ThawError {
  return new ThawError("THAW_CLI_RUN_NOT_FINISHED", `The run holds no trained parameters. At ${folder}. Continue it with "npx thaw train --resume ${folder}".`, { details: { folder } });
}

/** A value of an option that has a fixed set of values or a form. */
export function badOption(option: string, value: unknown, expected: string): ThawError {
  return new ThawError("THAW_CLI_OPTION", `${option} is ${JSON.stringify(value)}. On the command line. Give ${expected}.`, { details: { option, value, expected } });
}
