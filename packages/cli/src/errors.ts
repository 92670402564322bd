import { causeText, ThawError, type Finding } from "@thaw/contracts";

/** A folder is neither a run nor a checkpoint. */
export function notARunOrCheckpoint(folder: string, reason: string): ThawError {
  return new ThawError(
    "THAW_CLI_NOT_A_RUN",
    `The folder is neither a run nor a checkpoint: ${reason}. At ${folder}. Give a run folder (with config.json ` +
      "and final/) or a Hugging Face checkpoint folder.",
    { details: { folder } },
  );
}

/** The config that a run saved is damaged, or of no run. */
export function savedConfigWrong(folder: string, findings: readonly Finding[]): ThawError {
  const errors = findings.filter(({ severity }) => severity === "error").map(({ message }) => message);
  return new ThawError(
    "THAW_CLI_RUN_CONFIG",
    `The run's config is not one that Thaw saved: ${errors.join(" ")} In ${folder}. Take the folder as it was when ` +
      "the run made it.",
    { details: { folder, errors } },
  );
}

/** A run's plugins were made by a config in code that nobody vouches for. */
export function originalConfigUntrusted(folder: string, file: string): ThawError {
  return new ThawError(
    "THAW_CLI_RUN_CODE",
    `The run's plugins were made by ${JSON.stringify(file)}, which is code, and a run folder is data: nobody vouches ` +
      `for what it would run. In $saved.file of ${folder}. Call the command in a folder whose config is that file, ` +
      "or give --trust, if you know who made that folder: it then runs code as you.",
    { details: { folder, file } },
  );
}

/** A run folder whose run has not reached its end. */
export function runNotFinished(folder: string): ThawError {
  return new ThawError(
    "THAW_CLI_RUN_NOT_FINISHED",
    `The run holds no trained parameters. At ${folder}. Continue it with "npx thaw train --resume ${folder}".`,
    { details: { folder } },
  );
}

/** A value of an option that has a fixed set of values or a form. */
export function badOption(option: string, value: unknown, expected: string): ThawError {
  return new ThawError(
    "THAW_CLI_OPTION",
    `${option} is ${value === undefined ? "missing" : JSON.stringify(value)}. On the command line. Give ${expected}.`,
    { details: { option, value, expected } },
  );
}

/** A variable by which a launcher tells a process its place says something else. */
export function placeWrong(variable: string, value: string, expected: string): ThawError {
  return new ThawError(
    "THAW_CLI_PLACE_WRONG",
    `${variable} is ${JSON.stringify(value)}. In the environment. Give ${expected}, as torchrun, mpirun and srun ` +
      "do, or unset it to train alone.",
    { details: { variable, value, expected } },
  );
}

/** Processes that were started to train along ended with errors, although this one did not. */
export function othersFailed(count: number): ThawError {
  return new ThawError(
    "THAW_CLI_OTHERS_FAILED",
    `${count === 1 ? "One of the other processes" : `${count} of the other processes`} ended with an error. In the ` +
      "processes of --processes. The run itself is whole: rank 0 wrote it. See what they said above.",
    { details: { count } },
  );
}

/** A file that is to be fixed cannot be written. */
export function cannotFix(file: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_CLI_CANNOT_FIX",
    `The file could not be changed: ${causeText(cause)}. At ${file}; it is as it was. Check its permissions.`,
    { details: { file }, cause },
  );
}

/** A file that `thaw convert` does not know. */
export function notForeign(file: string, exists: boolean): ThawError {
  const reason = exists
    ? "It is neither a LLaMA-Factory config (model_name_or_path and finetuning_type) nor ms-swift arguments (a " +
      "script with swift sft, or keys such as tuner_type)"
    : "There is no such file";
  return new ThawError(
    "THAW_CLI_NOT_FOREIGN",
    `The file cannot be converted. ${reason}. At ${file}. Give the YAML, JSON or script that the other tool takes.`,
    { details: { file } },
  );
}

/** A file is in the way of one that is to be written. */
export function outputTaken(file: string): ThawError {
  return new ThawError(
    "THAW_CLI_OUTPUT_TAKEN",
    `The file is there already. At ${file}. Give another name with --output; nothing is overwritten.`,
    { details: { file } },
  );
}

/** A new config cannot be written. */
export function cannotWriteConfig(file: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_CLI_CANNOT_WRITE",
    `The config could not be written: ${causeText(cause)}. At ${file}. Name a file in a folder that is there, and ` +
      "that you may write to, with --output.",
    { details: { file }, cause },
  );
}

/** Nothing of that name to explain. */
export function nothingToExplain(target: string, nearest: readonly string[]): ThawError {
  const advice =
    nearest.length > 0
      ? `Nearest names: ${nearest.join(", ")}.`
      : "Give a component, a parameter, a run of whole segments of its name, or a setting.";
  return new ThawError(
    "THAW_CLI_NOTHING_TO_EXPLAIN",
    `There is no component, parameter or setting ${target}. On the command line. ${advice}`,
    { details: { target, nearest } },
  );
}

/** `thaw evaluate` without `--data`, on something that has no evaluation sets of its own. */
export function noEvaluationData(path: string): ThawError {
  return new ThawError(
    "THAW_CLI_NO_EVALUATION_DATA",
    `${path} has no evaluation sets of its own (data.evaluation), and --data is missing. ` +
      "Name a data set, for example --data iconify:twemoji.",
    { details: { path } },
  );
}

/** A chat's system message that the model would not read. */
export function noSystemRole(source: string, cause?: ThawError): ThawError {
  return new ThawError(
    "THAW_CLI_CHAT_SYSTEM",
    `The chat template of ${source} has no system role: ` +
      `${cause === undefined ? "it leaves the text out" : `it refuses one (${cause.message})`}. At --system. ` +
      "The chat goes on without it; write the text into the first question.",
    { details: { source }, cause },
  );
}

/** A line of a chat that looks like a command and is none. */
export function chatCommandWrong(line: string): ThawError {
  return new ThawError(
    "THAW_CLI_CHAT_COMMAND",
    `${JSON.stringify(line)} is not a command. In the chat. Write /image PATH, /audio PATH, /reset or /quit; ` +
      "other lines are questions.",
    { details: { line } },
  );
}

/** An error with the command that goes on in spite of it; its code stays. */
export function withCommand(error: ThawError, command: string): ThawError {
  return new ThawError(error.code, `${error.message}\nGo on with: ${command}`, {
    details: { ...error.details, command },
    cause: error,
  });
}
