import { ThawError, type Finding } from "@thaw/contracts";
import { nameList } from "./text.js";

type Details = Readonly<Record<string, unknown>>;

function make(code: string, message: string, details: Details, cause?: unknown): ThawError {
  return new ThawError(code, message, { details, cause });
}

/** One finding as text, with where its settings stand. */
export function findingText(finding: Finding): string {
  const where = finding.settings.map(({ path, file, line }) =>
    file === undefined ? path : `${path} (${file}${line === undefined ? "" : `:${line}`})`,
  );
  const place = where.length > 0 ? ` At ${where.join(" and ")}.` : "";
  return `[${finding.rule}] ${finding.message}${place} ${finding.fix}`.trim();
}

/** The plan has findings that are errors; all of them are in the message and in `details.findings`. */
export function planRefused(findings: readonly Finding[]): ThawError {
  const errors = findings.filter(({ severity }) => severity === "error");
  const texts = errors.map((finding) => `  - ${findingText(finding)}`).join("\n");
  const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
  return make(
    "THAW_CORE_PLAN_REFUSED",
    `The plan has ${count}, so nothing was loaded and nothing was trained:\n${texts}`,
    { findings },
  );
}

/** A plugin's tap, or its `apply`, threw something that is no `ThawError`. */
export function pluginFailed(plugin: string, hook: string, step: number | undefined, cause: unknown): ThawError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const where = step === undefined ? `hook ${hook}` : `hook ${hook}, step ${step}`;
  return make(
    "THAW_CORE_PLUGIN_FAILED",
    `The plugin ${plugin} failed: ${text} In ${where}. Fix or remove the plugin; the cause is attached.`,
    { plugin, hook, step },
    cause,
  );
}

/** Options of a plugin that break its schema. */
export function pluginOptionsInvalid(
  plugin: string,
  issues: readonly { readonly path: string; readonly message: string }[],
): ThawError {
  const texts = issues.map(({ path, message }) => `  - ${path === "" ? "" : `${path}: `}${message}`).join("\n");
  return make("THAW_CORE_PLUGIN_OPTIONS_INVALID", `The options of plugin ${plugin} are not valid:\n${texts}`, {
    plugin,
    issues,
  });
}

/** A plugin's schema that cannot answer at once. */
export function pluginOptionsAsync(plugin: string): ThawError {
  return make(
    "THAW_CORE_PLUGIN_OPTIONS_ASYNC",
    `The options schema of plugin ${plugin} answers with a promise. In definePlugin. Use a synchronous schema.`,
    { plugin },
  );
}

/** Names tell plugins apart in errors, checkpoints and logs. */
export function pluginNameTwice(plugin: string): ThawError {
  return make(
    "THAW_CORE_PLUGIN_NAME_TWICE",
    `Two plugins are named ${plugin}. In the trainer's plugins. Remove one of them, or give them different names.`,
    { plugin },
  );
}

/** A plugin for another version of the plugin interface. */
export function pluginApiVersion(plugin: string, apiVersion: unknown, supported: number): ThawError {
  return make(
    "THAW_CORE_PLUGIN_API_VERSION",
    `The plugin ${plugin} was written for API version ${String(apiVersion)}; this is version ${supported}. In ` +
      `the trainer's plugins. Install a version of the plugin for ${supported}.`,
    { plugin, apiVersion, supported },
  );
}

/** `training` options that break the schema. */
export function trainingInvalid(text: string, issues: readonly unknown[]): ThawError {
  return make("THAW_CORE_TRAINING_INVALID", `The training options are not valid:\n${text}`, { issues });
}

/** A run needs an option that planning does not. */
export function optionMissing(option: string, advice: string): ThawError {
  return make("THAW_CORE_OPTION_MISSING", `${option} is not given. In new Trainer({ ... }). ${advice}`, { option });
}

/** A trainer does one thing at a time. */
export function alreadyRunning(): ThawError {
  return make(
    "THAW_CORE_ALREADY_RUNNING",
    "This trainer is running or has a session open. In Trainer. Wait for the run, close the session, or make a " +
      "second trainer.",
    {},
  );
}

/** A parameter was asked for that the run does not have. */
export function parameterUnknown(name: string, nearest: readonly string[]): ThawError {
  const advice = nearest.length > 0 ? `Nearest names: ${nearest.join(", ")}.` : "No parameter has a similar name.";
  return make(
    "THAW_CORE_PARAMETER_UNKNOWN",
    `There is no parameter ${name}. In the trainer's parameter store. ${advice}`,
    { name, nearest },
  );
}

/** Parameters that neither the checkpoint nor an initializer gave values for. */
export function parametersMissing(names: readonly string[], source: string): ThawError {
  return make(
    "THAW_CORE_PARAMETERS_MISSING",
    `The model gave no values for ${nameList(names)}. From ${source}. Check the checkpoint, or the initializer ` +
      "of a parameter that a plugin added.",
    { names, source },
  );
}

/** A run's live weights are not replaced from outside. */
export function sessionReadOnly(): ThawError {
  return make(
    "THAW_CORE_SESSION_READ_ONLY",
    "A session of a running trainer cannot load parameters. In Session.loadParameters. Use trainer.open() for a " +
      "session of its own.",
    {},
  );
}

/** The same error with plugin, hook and step added; code, message and cause stay. */
export function pluginFailedWithCode(
  plugin: string,
  hook: string,
  step: number | undefined,
  error: ThawError,
): ThawError {
  return make(error.code, error.message, { ...error.details, plugin, hook, step }, error.cause ?? error);
}

/** A tap of a waterfall hook forgot to return the value. */
export function tapReturnedNothing(plugin: string, hook: string): ThawError {
  return make(
    "THAW_CORE_TAP_RETURNED_NOTHING",
    `The plugin ${plugin} returned undefined. In hook ${hook}. Return the value that was given, or a new one.`,
    { plugin, hook },
  );
}

/** The run waits for a tap, and nothing is left that could end the wait. */
export function tapNeverSettled(plugin: string, hook: string): ThawError {
  return make(
    "THAW_CORE_TAP_NEVER_SETTLED",
    `The plugin ${plugin} returned a promise that never settles: nothing is left that could settle it. In hook ` +
      `${hook}. Resolve or reject it.`,
    { plugin, hook },
  );
}

/** A plugin changed what trains outside the `plan` hook. */
export function trainabilityChanged(plugin: string, hook: string, names: readonly string[], what: string): ThawError {
  return make(
    "THAW_CORE_TRAINABILITY_CHANGED",
    `The plugin ${plugin} ${what} ${nameList(names)}, which changes what trains. In hook ${hook}. Trainability ` +
      "changes in the plan hook only.",
    { plugin, hook, names },
  );
}

/** Values that do not fit the parameter they are for. */
export function parameterMisshaped(name: string, shape: readonly number[], valueCount: number): ThawError {
  return make(
    "THAW_CORE_PARAMETER_MISSHAPED",
    `${valueCount} values were given for ${name}, whose shape is [${shape.join(", ")}]. In the trainer's ` +
      "parameter store. Check the file or initializer that they come from.",
    { name, shape, valueCount },
  );
}

/** The fingerprint of a frozen parameter changed: something wrote to it. */
export function frozenMoved(names: readonly string[], step: number): ThawError {
  return make(
    "THAW_CORE_FROZEN_MOVED",
    `Frozen parameters changed: ${nameList(names)}. Found at step ${step}. A plugin or the model wrote to a ` +
      "tensor it only borrows; leave plugins out one by one to find it.",
    { names, step },
  );
}

/** A parameter was asked for while it is not in memory. */
export function parameterReleased(name: string): ThawError {
  return make(
    "THAW_CORE_PARAMETER_RELEASED",
    `The parameter ${name} was read, but it is not in memory: the model never uses it, or the output of its part ` +
      "of the model is known for every batch. In a plugin or in the model's forward pass. Ask for its values with " +
      "readParameter, or switch off the saving that released it.",
    { name },
  );
}

/** Parameters that were read from the model again are not what they were at the start. */
export function parametersChanged(names: readonly string[], source: string): ThawError {
  return make(
    "THAW_CORE_PARAMETERS_CHANGED",
    `Parameters that were read again differ from those at the start of the run: ${nameList(names)}. In ` +
      `${source}. Do not change a model's files while a run uses them.`,
    { names, source },
  );
}

/** A segment that the plan lets run unrecorded is in the way of a gradient. */
export function prefixNeedsGradient(segment: string): ThawError {
  return make(
    "THAW_CORE_PREFIX_NEEDS_GRADIENT",
    `The segment ${segment} is a prefix by the plan, but it was given a value that needs a gradient. In the ` +
      `model's forward pass. The model's segment table lacks an "after"; this is a bug of the model family.`,
    { segment },
  );
}

/** A stretch asks for something that it was not given. */
export function outsideStretch(wanted: string): ThawError {
  return make(
    "THAW_CORE_OUTSIDE_STRETCH",
    `A stretch of the forward pass asks for ${wanted}, which it was not given. In the model's forward pass. Name ` +
      "every parameter and input of the stretch; this is a bug of the model family.",
    { wanted },
  );
}

/** The items of one input are stacked into one tensor, so they need one shape. */
export function inputItemMisshaped(
  input: string,
  expected: readonly number[],
  shape: readonly number[],
  valueCount: number,
): ThawError {
  return make(
    "THAW_CORE_INPUT_MISSHAPED",
    `An item of ${input} has shape [${shape.join(", ")}] and ${valueCount} values; the first has ` +
      `[${expected.join(", ")}]. In a micro-batch. All items of an input need one shape; check the processor.`,
    { input, expected, shape, valueCount },
  );
}

/** A segment was asked for alone that needs more than batch inputs. */
export function segmentHasNoOutput(segment: string, known: readonly string[], cause: unknown): ThawError {
  return make(
    "THAW_CORE_SEGMENT_HAS_NO_OUTPUT",
    `The segment ${segment} does not run on these inputs alone. In runSegment. Segments of this model: ` +
      `${nameList(known, 12)}; only those that read batch inputs run alone.`,
    { segment, known },
    cause,
  );
}

/** No trained parameter had a part in the loss. */
export function lossReachesNothing(trained: readonly string[], step: number): ThawError {
  return make(
    "THAW_CORE_LOSS_REACHES_NOTHING",
    `The loss depends on none of the ${trained.length} trained parameters: ${nameList(trained)}. At step ` +
      `${step}. Train a parameter that lies on the way to the loss.`,
    { trained, step },
  );
}

/** A step without a single token to learn from. */
export function nothingSupervised(samples: readonly string[], step: number): ThawError {
  return make(
    "THAW_CORE_NOTHING_SUPERVISED",
    `No token of the step has a label, so there is nothing to learn from: samples ${nameList(samples)}. At step ` +
      `${step}. Check that these samples have answers and that maxLength does not cut them off.`,
    { samples, step },
  );
}

/** The loss or the gradient is infinite or not a number. */
export function lossNotFinite(loss: number, gradientNorm: number, step: number): ThawError {
  return make(
    "THAW_CORE_NOT_FINITE",
    `The loss is ${loss} and the gradient norm ${gradientNorm}. At step ${step}. Lower the learning rate, ` +
      "lengthen the warm-up, or clip to a smaller norm; the last checkpoint is intact.",
    { loss, gradientNorm, step },
  );
}

/** An optimizer returned values for a parameter without gradient. */
export function optimizerUpdatedFrozen(
  optimizer: string,
  plugin: string | undefined,
  names: readonly string[],
  step: number,
): ThawError {
  return make(
    "THAW_CORE_OPTIMIZER_UPDATED_FROZEN",
    `The optimizer ${optimizer}${plugin === undefined ? "" : ` of the plugin ${plugin}`} returned values for ` +
      `${nameList(names)}, which have no gradient. At step ${step}. An optimizer updates only parameters whose ` +
      "gradient it is given.",
    { optimizer, plugin, names, step },
  );
}

/** TensorFlow.js has nothing to compute with. */
export function backendMissing(cause: unknown): ThawError {
  return make(
    "THAW_CORE_BACKEND_MISSING",
    "No TensorFlow.js backend is registered. In the current process. Import one (npm install " +
      "@tensorflow/tfjs-backend-wasm), or add the plugin @thaw/backend-gpu, which picks one.",
    {},
    cause,
  );
}

/** The run folder, or a file in it, cannot be written. */
export function runFolderUnwritable(path: string, cause: unknown): ThawError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return make(
    "THAW_CORE_RUN_FOLDER_UNWRITABLE",
    `The run folder cannot be written: ${text}. At ${path}. Check free space and permissions, or choose another ` +
      "output folder.",
    { path },
    cause,
  );
}

/** A checkpoint cannot be written: a full disk, or missing permissions. */
export function checkpointUnwritable(path: string, cause: unknown): ThawError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return make(
    "THAW_CORE_CHECKPOINT_UNWRITABLE",
    `The checkpoint could not be written: ${text}. At ${path}; nothing was left there. Check free space and ` +
      "permissions.",
    { path },
    cause,
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

/** A checkpoint's state cannot be read, or another version of Thaw wrote it. */
export function checkpointBroken(file: string, what: string, cause?: unknown): ThawError {
  return make(
    "THAW_CORE_CHECKPOINT_BROKEN",
    `The checkpoint is not usable: ${what}. At ${file}. Resume from an earlier checkpoint.`,
    { file },
    cause,
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

/** A checkpoint holds what trained; its frozen part must be the same as it was. */
export function baseChanged(folder: string): ThawError {
  return make(
    "THAW_CORE_BASE_CHANGED",
    `The frozen weights are not those that the checkpoint was trained on. In ${folder}. Use the same model ` +
      "files, or start a new run.",
    { folder },
  );
}

/** The training data is empty. */
export function noBatches(source: string): ThawError {
  return make(
    "THAW_CORE_NO_BATCHES",
    `The training source ${source} gave no batch. In data.train. Give a source with samples.`,
    { source },
  );
}

/** The run waits for something that is no tap, and nothing is left that could end the wait. */
export function runStalled(): ThawError {
  return make(
    "THAW_CORE_RUN_STALLED",
    "The run waits for a promise that never settles: nothing is left that could settle it. In a data source, an " +
      "evaluator or a backend. Resolve or reject it.",
    {},
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
    `The folder is not that of a staged run: it has no stages.json that can be read. At ${folder}. Give the ` +
      "folder that a run with stages made.",
    { folder },
    cause,
  );
}

/** `training.stopWhen` names an evaluation that the run does not have. */
export function stopRuleUnknown(evaluation: string, known: readonly string[]): ThawError {
  return make(
    "THAW_CORE_STOP_RULE_UNKNOWN",
    `There is no evaluation ${evaluation}. In training.stopWhen.evaluation. ` +
      `${known.length === 0 ? "Name evaluation data." : `Evaluations are: ${nameList(known, 12)}.`}`,
    { evaluation, known },
  );
}

/** `training.precision` asks for what the backend does not have. */
export function precisionUnsupported(
  precision: string,
  {
    name,
    description,
    precisions = [],
  }: { readonly name: string; readonly description: string; readonly precisions?: readonly string[] },
): ThawError {
  const known = ["float32", ...precisions];
  return make(
    "THAW_CORE_PRECISION_UNSUPPORTED",
    `The backend ${name} (${description}) cannot train in ${precision}. In training.precision. It can: ` +
      `${known.join(", ")}; the native backend has bfloat16, an NVIDIA GPU tf32 and bfloat16 (thaw doctor says ` +
      "what is here).",
    { precision, backend: name, known },
  );
}
