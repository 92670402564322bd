import { causeText, ThawError } from "@thaw/contracts";

/** A file that breaks the format. `reason` is a stable word for the rule that it breaks. */
export function malformed(
  file: string,
  reason: string,
  message: string,
  advice: string,
  details: Readonly<Record<string, unknown>> = {},
): ThawError {
  return new ThawError("THAW_SAFETENSORS_MALFORMED", `${message} In ${file}. ${advice}`, {
    details: { file, reason, ...details },
  });
}

/** A safetensors file that is not there or cannot be read. */
export function unreadable(file: string, cause: unknown): ThawError {
  const text = causeText(cause);
  return new ThawError(
    "THAW_SAFETENSORS_UNREADABLE",
    `The file cannot be read: ${text}. At ${file}. Check that the path is right and that you may read it.`,
    { details: { file }, cause },
  );
}

/** Weights that `torch.load` reads. */
const PICKLE = /\.(bin|pt|pth|ckpt)$/;

/** A folder without weights that are read; `others` are files in it that hold weights in another form. */
export function notFound(folder: string, looked: readonly string[], others: readonly string[]): ThawError {
  const pickle = others.find((name) => PICKLE.test(name));
  const advice =
    others.length === 0
      ? "Point to a folder that holds one of them."
      : pickle === undefined
        ? `${others.join(", ")} is of a form that Thaw does not read: take the model's checkpoint as safetensors.`
        : `${others.join(", ")} is there, a pickle, which runs code when it is read. Where you trust it, write it as ` +
          "safetensors with transformers: AutoModelForImageTextToText.from_pretrained(folder).save_pretrained(folder).";
  return new ThawError(
    "THAW_SAFETENSORS_NOT_FOUND",
    `No weights were found: neither ${looked.join(" nor ")} exists. In ${folder}. ${advice}`,
    { details: { folder, looked, others } },
  );
}

/** A part of the weights that the index names is not there. */
export function shardMissing(indexFile: string, shard: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_SAFETENSORS_SHARD_MISSING",
    `The shard ${shard} is missing or unreadable. It is named in ${indexFile}. Download the shard again or ` +
      "correct the index.",
    { details: { file: indexFile, shard }, cause },
  );
}

/** Two parts of the weights hold one tensor. */
export function inTwoShards(name: string, first: string, second: string): ThawError {
  return new ThawError(
    "THAW_SAFETENSORS_TWO_SHARDS",
    `The tensor ${name} is stored twice. In ${first} and in ${second}. Keep one of them and write the index anew.`,
    { details: { name, files: [first, second] } },
  );
}

/** The index and a part of the weights disagree. */
export function notInShard(name: string, shard: string, indexFile: string): ThawError {
  return new ThawError(
    "THAW_SAFETENSORS_NOT_IN_SHARD",
    `The index says that ${shard} holds ${name}, but it does not. In ${indexFile}. Download the checkpoint again ` +
      "or correct the index.",
    { details: { name, shard, file: indexFile } },
  );
}

/** A tensor was asked for that the file does not hold. */
export function unknownTensor(name: string, source: string, nearest: readonly string[]): ThawError {
  const advice =
    nearest.length > 0 ? `Nearest names: ${nearest.join(", ")}.` : "The file holds no tensor with a similar name.";
  return new ThawError("THAW_SAFETENSORS_UNKNOWN_TENSOR", `There is no tensor ${name}. In ${source}. ${advice}`, {
    details: { name, source, nearest },
  });
}

/** A tensor was asked for in a type that its own does not convert to. */
export function notConvertible(name: string, dtype: string, wanted: string, file: string): ThawError {
  return new ThawError(
    "THAW_SAFETENSORS_NOT_CONVERTIBLE",
    `The tensor ${name} has dtype ${dtype}, which does not convert to ${wanted}. In ${file}. Read it with the ` +
      "method for its dtype, or convert the file.",
    { details: { name, dtype, wanted, file } },
  );
}

/** Elements were asked for that the tensor does not have. */
export function outOfRange(name: string, message: string, file: string): ThawError {
  return new ThawError(
    "THAW_SAFETENSORS_OUT_OF_RANGE",
    `${message} In tensor ${name} of ${file}. Ask for elements that exist and fit.`,
    { details: { name, file } },
  );
}

/** Values given for writing that do not fit what was declared. */
export function badValues(name: string, message: string, file: string): ThawError {
  return new ThawError(
    "THAW_SAFETENSORS_BAD_VALUES",
    `${message} For tensor ${name} of ${file}. Give values that match the declared dtype and shape.`,
    { details: { name, file } },
  );
}

/** A file cannot be written: a full disk, or missing permissions. */
export function unwritable(file: string, cause: unknown): ThawError {
  const text = causeText(cause);
  return new ThawError(
    "THAW_SAFETENSORS_UNWRITABLE",
    `The file could not be written: ${text}. At ${file}; nothing was left there. Check free space and permissions.`,
    { details: { file }, cause },
  );
}

/** A file that is not as Thaw wrote it, by the manifest beside it. */
export function damaged(file: string, what: string, cause?: unknown): ThawError {
  return new ThawError(
    "THAW_SAFETENSORS_DAMAGED",
    `The file is not as it was written: ${what}. At ${file}. Take an intact copy, or write it again. An export that ` +
      "was changed on purpose is read once its thaw-manifest.json is removed.",
    { details: { file, what }, cause },
  );
}

/** A number that is infinite or not a number among values that are to be written. */
export function notFinite(name: string, index: number, value: number, file: string): ThawError {
  return new ThawError(
    "THAW_SAFETENSORS_NOT_FINITE",
    `The value ${index} of the tensor ${name} is ${value}. For ${file}; nothing was left there. Write finite values: ` +
      "what holds such a number is not a result.",
    { details: { file, name, index, value } },
  );
}
