import { shown, causeText, nameList, nearestNames, ThawError } from "@thaw/contracts";

const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/** The folder of a model, or a file in it, cannot be read. */
export function folderUnreadable(folder: string, cause: unknown): ThawError {
  const text = causeText(cause);
  return new ThawError(
    "THAW_CHECKPOINT_UNREADABLE",
    `The model cannot be opened: ${text}. At ${folder}. Point to a local Hugging Face checkpoint folder, one ` +
      "that holds config.json and safetensors weights.",
    { details: { folder }, cause },
  );
}

/** A model that only stands in for one was asked for its weights. */
export function noCheckpoint(source: string): ThawError {
  return new ThawError(
    "THAW_CHECKPOINT_UNREADABLE",
    `There is no checkpoint to read. At ${source}. Point to a local Hugging Face checkpoint folder.`,
    { details: { folder: source } },
  );
}

/** config.json is missing a value, or holds one that is not understood. `path` is the key, dotted. */
export function badConfig(
  file: string,
  path: string,
  message: string,
  advice: string,
  details: Readonly<Record<string, unknown>> = {},
): ThawError {
  return new ThawError("THAW_CHECKPOINT_CONFIG", `${message} In ${file}${path === "" ? "" : ` > ${path}`}. ${advice}`, {
    details: { file, path, ...details },
  });
}

/** A `model_type` that Thaw has neither a forward pass nor an owner table for. */
export function unknownModelType(file: string, modelType: unknown, known: readonly string[]): ThawError {
  const nearest = typeof modelType === "string" ? nearestNames(modelType, known, 1) : [];
  const hint = nearest.length > 0 ? ` Nearest: ${nearest.join(", ")}.` : "";
  return new ThawError(
    "THAW_CHECKPOINT_UNKNOWN_TYPE",
    `The model type ${shown(modelType)} is unknown. In ${file} > model_type. Known types: ` +
      `${known.join(", ")}.${hint} ` +
      "Register a family for it, or declare its components to plan and check it: model: { path, components: { " +
      "vision_tower: [prefix], multi_modal_projector: [prefix], language_model: [prefix] } }.",
    { details: { file, modelType, known } },
  );
}

/** Parameters of the model that the checkpoint does not hold. */
export function tensorsMissing(source: string, missing: readonly string[], stored: readonly string[]): ThawError {
  const lines = missing.slice(0, 8).map((name) => {
    const nearest = nearestNames(name, stored, 1)[0];
    return nearest === undefined ? name : `${name} (nearest in the file: ${nearest})`;
  });
  return new ThawError(
    "THAW_CHECKPOINT_TENSOR_MISSING",
    `${missing.length === 1 ? "A tensor is" : `${missing.length} tensors are`} missing: ` +
      `${lines.join(", ")}${missing.length > 8 ? ` and ${missing.length - 8} more` : ""}. ` +
      `In ${source}. Use a complete checkpoint, or start these from new values with model: { path, initialize: ` +
      "[component] }.",
    { details: { source, missing } },
  );
}

/** Tensors whose shape is not what config.json asks for. */
export function tensorsMisshaped(
  source: string,
  problems: readonly {
    readonly name: string;
    readonly expected: readonly number[];
    readonly found: readonly number[];
  }[],
): ThawError {
  const lines = problems
    .slice(0, 8)
    .map(
      ({ name, expected, found }) =>
        `${name} has shape ${shapeText(found)}, but config.json asks for ${shapeText(expected)}`,
    );
  return new ThawError(
    "THAW_CHECKPOINT_TENSOR_MISSHAPED",
    "Weights and config.json disagree: " +
      `${lines.join("; ")}${problems.length > 8 ? `; and ${problems.length - 8} more` : ""}. In ${source}. Use the ` +
      "config.json that belongs to these weights.",
    { details: { source, problems } },
  );
}

/** Tensors in the checkpoint that belong to no parameter. */
export function tensorsUnexpected(
  source: string,
  unexpected: readonly string[],
  expected: readonly string[],
): ThawError {
  const lines = unexpected.slice(0, 8).map((name) => {
    const nearest = nearestNames(name, expected, 1)[0];
    return nearest === undefined ? name : `${name} (nearest that the model has: ${nearest})`;
  });
  return new ThawError(
    "THAW_CHECKPOINT_TENSOR_UNEXPECTED",
    `The weights hold ${unexpected.length === 1 ? "a tensor" : `${unexpected.length} tensors`} that config.json ` +
      `has no place for: ${lines.join(", ")}${unexpected.length > 8 ? ` and ${unexpected.length - 8} more` : ""}. ` +
      `In ${source}. Use the config.json that belongs to these weights, or leave them out with model: { path, ` +
      "ignored: [prefix] }.",
    { details: { source, unexpected } },
  );
}

/** A parameter stored in a type that is not read. */
export function tensorNotFloat(source: string, name: string, dtype: string): ThawError {
  return new ThawError(
    "THAW_CHECKPOINT_TENSOR_DTYPE",
    `The parameter ${name} is stored as ${dtype}; Thaw reads F32, BF16, F16 and F64, and what bitsandbytes has ` +
      `quantised. In ${source}. Convert the checkpoint to one of them.`,
    { details: { source, name, dtype } },
  );
}

/** A quantised matrix whose tensors do not belong together. `problem` begins with "its" or "it". */
export function badQuantized(source: string, name: string, problem: string): ThawError {
  return new ThawError(
    "THAW_CHECKPOINT_QUANTIZED",
    `The quantised parameter ${name} cannot be read: ${problem}. In ${source}. Write the checkpoint again with ` +
      "bitsandbytes, or use the one that it was made from.",
    { details: { source, name } },
  );
}

/** A parameter was asked for that the model does not have. */
export function unknownParameter(source: string, name: string, known: readonly string[]): ThawError {
  const nearest = nearestNames(name, known);
  return new ThawError(
    "THAW_CHECKPOINT_UNKNOWN_PARAMETER",
    `The model has no parameter ${name}. In ${source}. ` +
      `${nearest.length > 0 ? `Nearest names: ${nearest.join(", ")}.` : "Ask for a name from its list of parameters."}`,
    { details: { source, name, nearest } },
  );
}

/** `initialize` names a component that the model does not have. */
export function unknownComponent(source: string, name: string, known: readonly string[]): ThawError {
  return new ThawError(
    "THAW_CHECKPOINT_UNKNOWN_COMPONENT",
    `The component ${name} cannot be initialised, as the model has none of that name. In the option initialize ` +
      `of ${source}. Name one of: ${nameList(known, 8)}.`,
    { details: { source, name, known } },
  );
}

/** New values were asked for, for a model type whose shapes alone are known. */
export function cannotInitialize(source: string): ThawError {
  return new ThawError(
    "THAW_CHECKPOINT_CANNOT_INITIALIZE",
    `Initial values are unknown for this model type. In the option initialize of ${source}. Only types whose ` +
      "forward pass Thaw has can be initialised.",
    { details: { source } },
  );
}

/** A model is never overwritten unless that is asked for. */
export function folderTaken(folder: string, file: string): ThawError {
  return new ThawError(
    "THAW_CHECKPOINT_EXISTS",
    `A model is already there: the folder holds ${file}. At ${folder}. Save to another folder, or ask for it ` +
      "with --overwrite ({ overwrite: true } in a program).",
    { details: { folder, file } },
  );
}

/** A model cannot be saved: a full disk, or missing permissions. */
export function folderUnwritable(folder: string, cause: unknown): ThawError {
  const text = causeText(cause);
  return new ThawError(
    "THAW_CHECKPOINT_UNWRITABLE",
    `The model could not be saved: ${text}. At ${folder}; nothing was left there. Check free space and permissions.`,
    { details: { folder }, cause },
  );
}

/** Values given for saving that do not fill the parameter. */
export function wrongValueCount(name: string, given: number, wanted: number): ThawError {
  return new ThawError(
    "THAW_CHECKPOINT_VALUES",
    `${given} values were given for ${name}; its shape needs ${wanted}. In the call of save. Give all values, ` +
      "row-major.",
    { details: { name, given, wanted } },
  );
}

/** The model type has an owner table, but no forward pass here. */
export function noForward(modelType: string, source: string, known: readonly string[]): ThawError {
  return new ThawError(
    "THAW_MODEL_NO_FORWARD",
    `Thaw can plan and check a model of type ${modelType}, but cannot run it. In ${source}. Types that it runs: ` +
      `${nameList(known, 8)}; register a family for another.`,
    { details: { modelType, source, known } },
  );
}

/** A batch whose images are neither given nor replaced by features. */
export function inputMissing(input: string, segment: string): ThawError {
  return new ThawError(
    "THAW_MODEL_INPUT_MISSING",
    `The batch holds items but not their input ${input}. In the segment ${segment}. Give the input, or that ` +
      "segment's output in segmentOutputs.",
    { details: { input, segment } },
  );
}

/** An input in a shape that this model does not take. */
export function inputShape(input: string, found: readonly number[], wanted: string): ThawError {
  return new ThawError(
    "THAW_MODEL_INPUT_SHAPE",
    `The input ${input} has shape ${shapeText(found)}. In the batch. This model takes ${wanted}.`,
    { details: { input, found, wanted } },
  );
}

/** Placeholders in the text and rows of features differ in number. */
export function placeholderMismatch(placeholders: number, features: number): ThawError {
  return new ThawError(
    "THAW_MODEL_PLACEHOLDERS",
    `The batch holds ${placeholders} placeholders, but its items give ${features} rows of features. In the forward ` +
      "pass. Expand each placeholder to as many tokens as its item has rows of features, and do not truncate them.",
    { details: { placeholders, features } },
  );
}

/** Generation from a prompt without a token. */
export function emptyRow(row: number): ThawError {
  return new ThawError(
    "THAW_MODEL_EMPTY_ROW",
    `Row ${row} of the batch has no token to continue from. In generation. Give every row at least one token ` +
      "with attention mask 1.",
    { details: { row } },
  );
}

/** The model type can be planned, but no data can be prepared for it. */
export function noProcessor(folder: string, modelType: unknown, known: readonly string[]): ThawError {
  return new ThawError(
    "THAW_MODEL_NO_PROCESSOR",
    `The model type ${shown(modelType)} has no processor, so no data can be read for it. In ${folder}. ` +
      `Types with one: ${nameList(known, 8)}; others come with plugins that provide families.`,
    { details: { folder, modelType, known } },
  );
}
