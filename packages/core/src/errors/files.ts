import { causeText, bytesText, nameList, type ThawError } from "@thaw/contracts";
import { make } from "./make.js";

/** The run folder, or a file in it, cannot be written. */
export function runFolderUnwritable(path: string, cause: unknown): ThawError {
  const text = causeText(cause);
  return make(
    "THAW_CORE_RUN_FOLDER_UNWRITABLE",
    `The run folder cannot be written: ${text}. At ${path}. Check free space and permissions, or choose another ` +
      "output folder.",
    { path },
    cause,
  );
}

/** Another process writes in the run folder. */
export function runLocked(
  folder: string,
  owner: { readonly pid: number; readonly host: string } | undefined,
): ThawError {
  const who = owner === undefined ? "Another process" : `The process ${owner.pid} on ${owner.host}`;
  return make(
    "THAW_CORE_RUN_LOCKED",
    `${who} writes in the run folder; two would spoil each other's files. At ${folder}. Wait for it or end it; where ` +
      "it is surely gone (a machine that was lost), remove the file run.lock there.",
    { folder, owner },
  );
}

/** Something in the run folder is a link that leads out of it. */
export function runFolderLinked(path: string, target: string | undefined): ThawError {
  return make(
    "THAW_CORE_RUN_FOLDER_LINKED",
    `The run would write through a link to ${target ?? "a place that is not there"}, outside of its folder. At ` +
      `${path}. Put the file or folder itself there, or remove the link.`,
    { path, target },
  );
}

/** A checkpoint cannot be written: a full disk, or missing permissions. */
export function checkpointUnwritable(path: string, cause: unknown): ThawError {
  const text = causeText(cause);
  return make(
    "THAW_CORE_CHECKPOINT_UNWRITABLE",
    `The checkpoint could not be written: ${text}. At ${path}; nothing was left there. Check free space and ` +
      "permissions.",
    { path },
    cause,
  );
}

/** What a run writes has no room where it writes. */
export function diskTooSmall(folder: string, neededBytes: number, freeBytes: number): ThawError {
  return make(
    "THAW_CORE_DISK_TOO_SMALL",
    `The run writes at least ${bytesText(neededBytes)}, and ${bytesText(freeBytes)} are free. At ${folder}. Make ` +
      "room, choose another output folder, or train less.",
    { folder, neededBytes, freeBytes },
  );
}

/** What is to be resumed holds no checkpoint. */
export function checkpointNotFound(path: string): ThawError {
  return make(
    "THAW_CORE_CHECKPOINT_NOT_FOUND",
    `There is no checkpoint to resume from. In ${path}. Give a run folder with checkpoints/step-<n>, or one of ` +
      "these folders.",
    { path },
  );
}

/** A checkpoint's state or tensors are not what its own facts say, or another version of Thaw wrote it. */
export function checkpointBroken(file: string, what: string, cause?: unknown): ThawError {
  return make(
    "THAW_CORE_CHECKPOINT_BROKEN",
    `The checkpoint is not usable: ${what}. At ${file}. Resume from an earlier checkpoint.`,
    { file, what },
    cause,
  );
}

/** A checkpoint or a result would hold a number that is infinite or not a number. */
export function checkpointNotFinite(path: string, cause: ThawError): ThawError {
  const { name, index, value } = cause.details as {
    readonly name: string;
    readonly index: number;
    readonly value: number;
  };
  return make(
    "THAW_CORE_CHECKPOINT_NOT_FINITE",
    `The value ${index} of ${name} is ${value}, so nothing is saved as if it were good. For ${path}. Lower the ` +
      "learning rate or the weight decay, and resume from an earlier checkpoint.",
    { path, name, index, value },
    cause,
  );
}

/** A file of a checkpoint is not as it was written. */
export function checkpointDamaged(
  damage: { readonly folder: string; readonly file: string; readonly what: string; readonly whole?: string },
  cause: unknown,
): ThawError {
  const { file, what, whole } = damage;
  return make(
    "THAW_CORE_CHECKPOINT_DAMAGED",
    `The checkpoint is damaged: ${what.replace(/\.$/, "")}. At ${file}. ` +
      (whole === undefined
        ? "No other checkpoint of the run is whole: take an intact copy, or start a new run."
        : `The newest whole one is ${whole}: resume from that.`),
    damage,
    cause,
  );
}

/** A file of parameters is not of this model. */
export function parametersUnfit(file: string, problems: readonly string[]): ThawError {
  const shown = problems.slice(0, 6).join("; ") + (problems.length > 6 ? `; and ${problems.length - 6} more` : "");
  return make(
    "THAW_CORE_PARAMETERS_UNFIT",
    `The file does not fit the model: ${shown}. In ${file}. Nothing of it was taken; use the file of a run with this ` +
      "model and these plugins.",
    { file, problems },
  );
}

/** With another seed, data or batch a resumed run would not be the run that was stopped. */
export function resumeMismatch(what: readonly string[], folder: string): ThawError {
  return make(
    "THAW_CORE_RESUME_MISMATCH",
    `The run differs from the one that made the checkpoint: ${what.join("; ")}. In ${folder}. Use the values of ` +
      "that run, or start a new one.",
    { what, folder },
  );
}

/** The samples, or what makes ids of them, are not those of the run that was stopped. */
export function resumeDataChanged(what: readonly string[], folder: string): ThawError {
  return make(
    "THAW_CORE_RESUME_DATA",
    `The training data is not what it was when the checkpoint was made; different: ${nameList(what)}. In ${folder}. ` +
      "Bring the data back, or accept the change (--accept-data-change; in a program resume.acceptDataChange): the " +
      "run then goes on with the data as it is now.",
    { what, folder },
  );
}

/** A checkpoint holds what trained; its frozen part must be the same as it was. */
export function baseChanged(folder: string): ThawError {
  return make(
    "THAW_CORE_BASE_CHANGED",
    `The frozen weights are not those that the checkpoint was trained on. In ${folder}. Use the same model ` +
      "files, or start a new run.",
    { folder },
  );
}

/** Stages that cannot be run as they are named. */
export function stagesInvalid(problem: string, advice: string): ThawError {
  return make("THAW_CORE_STAGES_INVALID", `${problem}. In the stages of the run. ${advice}`, {});
}

/** A staged run is to be resumed with other stages than it has. */
export function stagesMismatch(folder: string, before: readonly string[], now: readonly string[]): ThawError {
  return make(
    "THAW_CORE_STAGES_MISMATCH",
    `The run has the stages ${before.join(", ")}, and it is to go on with ${now.join(", ")}. In ${folder}. Give ` +
      "the stages of that run, or start a new one.",
    { folder, before, now },
  );
}

/** A folder that is to be a staged run's and is none. */
export function stagesNotFound(folder: string, cause: unknown): ThawError {
  return make(
    "THAW_CORE_STAGES_NOT_FOUND",
    `The folder is not that of a staged run: it has no stages.json that can be read: ` +
      `${causeText(cause)}. At ${folder}. Give the folder that a run ` +
      "with stages made.",
    { folder },
    cause,
  );
}
