import { withCommand } from "../errors.js";
import { ThawError } from "@thaw/core";
import { shellWord } from "../render/text.js";

/**
 * The error of a damaged checkpoint with the command that goes on from the newest whole one; another error as it is.
 * `stagedRun`: the run whose stage it was, which always goes on from the last checkpoint.
 */
export function withResumeCommand(error: unknown, stagedRun: string | undefined): unknown {
  if (!(error instanceof ThawError) || error.code !== "THAW_CORE_CHECKPOINT_DAMAGED") return error;
  const { folder, whole } = error.details as { readonly folder: string; readonly whole?: string };
  if (whole === undefined) return error;
  const command =
    stagedRun === undefined
      ? `npx thaw train --resume ${shellWord(whole)}`
      : `mv ${shellWord(folder)} ${shellWord(`${folder}.damaged`)} && npx thaw train --resume ${shellWord(stagedRun)}`;
  return withCommand(error, command);
}
