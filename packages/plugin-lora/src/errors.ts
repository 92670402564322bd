import { causeText, ThawError } from "@thaw/core";

/** Codes of this package's errors; never reused. */
export const LORA_ERROR_CODES = [
  "THAW_LORA_FOLDER_EXISTS",
  "THAW_LORA_FOLDER_UNWRITABLE",
  "THAW_LORA_RESUME_MISMATCH",
  "THAW_LORA_NO_ADAPTERS",
] as const;

/** An adapter is already there. */
export function folderExists(folder: string): ThawError {
  return new ThawError(
    "THAW_LORA_FOLDER_EXISTS",
    `The adapter cannot be written: there is something already. At ${folder}. Name a folder that does not exist yet.`,
    { details: { folder } },
  );
}

/** The disk is full, or the folder is not ours. */
export function folderUnwritable(folder: string, cause: unknown): ThawError {
  const reason = causeText(cause);
  return new ThawError(
    "THAW_LORA_FOLDER_UNWRITABLE",
    `The adapter cannot be written: ${reason}. To ${folder}. Make room, or name a folder that may be written.`,
    { details: { folder, reason }, cause },
  );
}

/** With another scale the checkpoint's matrices would mean another model. */
export function resumeMismatch(differences: readonly string[]): ThawError {
  return new ThawError(
    "THAW_LORA_RESUME_MISMATCH",
    `The adapters are scaled otherwise than in the checkpoint: ${differences.join("; ")}. In lora of ` +
      "freeze.components. Restore rank, alpha and rslora of that run, or start a new one.",
    { details: { differences } },
  );
}

/** Nothing to write. */
export function noAdapters(folder: string): ThawError {
  return new ThawError(
    "THAW_LORA_NO_ADAPTERS",
    `This trainer has no adapters. Asked for by the adapter folder ${folder}. Plan a component with lora first.`,
    { details: { folder } },
  );
}
