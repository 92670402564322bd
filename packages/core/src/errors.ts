import { ThawError, type Finding } from "@thaw/contracts";
import { nameList } from "./text.js";

type Details = Readonly<Record<string, unknown>>;

function make(code: string, message: string, details: Details, cause?: unknown): ThawError {
  return new ThawError(code, message, { details, cause });
}

/** One finding as text, with where its settings stand. */
export function findingText(finding: Finding): string {
  const where = finding.settings.map(({ path, file, line }) => (file === undefined ? path : `${path} (${file}${line === undefined ? "" : `:${line}`})`));
  const place = where.length > 0 ? ` At ${where.join(" and ")}.` : "";
  return `[${finding.rule}] ${finding.message}${place} ${finding.fix}`.trim();
}

export function planRefused(findings: readonly Finding[]): ThawError {
  const errors = findings.filter(({ severity }) => severity === "error");
  const texts = errors.map((finding) => `  - ${findingText(finding)}`).join("\n");
  const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
  return make("THAW_CORE_PLAN_REFUSED", `The plan has ${count}, so nothing was loaded and nothing was trained:\n${texts}`, { findings });
}

export function pluginFailed(plugin: string, hook: string, step: number | undefined, cause: unknown): ThawError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const where = step === undefined ? `hook ${hook}` : `hook ${hook}, step ${step}`;
  return make("THAW_CORE_PLUGIN_FAILED", `The plugin ${plugin} failed: ${text} In ${where}. Fix or remove the plugin; the cause is attached.`, { plugin, hook, step }, cause);
}

export function pluginOptionsInvalid(plugin: string, issues: readonly { readonly path: string; readonly message: string }[]): ThawError {
  const texts = issues.map(({ path, message }) => `  - ${path === "" ? "" : `${path}: `}${message}`).join("\n");
  return make("THAW_CORE_PLUGIN_OPTIONS_INVALID", `The options of plugin ${plugin} are not valid:\n${texts}`, { plugin, issues });
}

export function pluginOptionsAsync(plugin: string): ThawError {
  return make("THAW_CORE_PLUGIN_OPTIONS_ASYNC", `The options schema of plugin ${plugin} answers with a promise. In definePlugin. Use a synchronous schema.`, { plugin });
}

export function pluginNameTwice(plugin: string): ThawError {
  return make("THAW_CORE_PLUGIN_NAME_TWICE", `Two plugins are named ${plugin}. In the trainer's plugins. Remove one of them, or give them different names.`, { plugin });
}

export function pluginApiVersion(plugin: string, apiVersion: unknown, supported: number): ThawError {
  return make(
    "THAW_CORE_PLUGIN_API_VERSION",
    `The plugin ${plugin} was written for API version ${String(apiVersion)}; this is version ${supported}. In the trainer's plugins. Install a version of the plugin for ${supported}.`,
    { plugin, apiVersion, supported },
  );
}

export function trainingInvalid(text: string, issues: readonly unknown[]): ThawError {
  return make("THAW_CORE_TRAINING_INVALID", `The training options are not valid:\n${text}`, { issues });
}

export function optionMissing(option: string, advice: string): ThawError {
  return make("THAW_CORE_OPTION_MISSING", `${option} is not given. In new Trainer({ ... }). ${advice}`, { option });
}

export function alreadyRunning(): ThawError {
  return make("THAW_CORE_ALREADY_RUNNING", "This trainer is running or has a session open. In Trainer. Wait for the run, close the session, or make a second trainer.", {});
}

export function parameterUnknown(name: string, nearest: readonly string[]): ThawError {
  const advice = nearest.length > 0 ? `Nearest names: ${nearest.join(", ")}.` : "No parameter has a similar name.";
  return make("THAW_CORE_PARAMETER_UNKNOWN", `There is no parameter ${name}. In the trainer's parameter store. ${advice}`, { name, nearest });
}

export function parametersMissing(names: readonly string[], source: string): ThawError {
  return make("THAW_CORE_PARAMETERS_MISSING", `The model gave no values for ${nameList(names)}. From ${source}. Check the checkpoint, or the initializer of a parameter that a plugin added.`, { names, source });
}

export function sessionReadOnly(): ThawError {
  return make("THAW_CORE_SESSION_READ_ONLY", "A session of a running trainer cannot load parameters. In Session.loadParameters. Use trainer.open() for a session of its own.", {});
}

/** The same error with plugin, hook and step added; code, message and cause stay. */
export function pluginFailedWithCode(plugin: string, hook: string, step: number | undefined, error: ThawError): ThawError {
  return make(error.code, error.message, { ...error.details, plugin, hook, step }, error.cause ?? error);
}

export function tapReturnedNothing(plugin: string, hook: string): ThawError {
  return make("THAW_CORE_TAP_RETURNED_NOTHING", `The plugin ${plugin} returned undefined. In hook ${hook}. Return the value that was given, or a new one.`, { plugin, hook });
}

export function tapNeverSettled(plugin: string, hook: string): ThawError {
  return make("THAW_CORE_TAP_NEVER_SETTLED", `The plugin ${plugin} returned a promise that never settles: nothing is left that could settle it. In hook ${hook}. Resolve or reject it.`, { plugin, hook });
}

export function trainabilityChanged(plugin: string, hook: string, names: readonly string[], what: string): ThawError {
  return make(
    "THAW_CORE_TRAINABILITY_CHANGED",
    `The plugin ${plugin} ${what} ${nameList(names)}, which changes what trains. In hook ${hook}. Trainability changes in the plan hook only.`,
    { plugin, hook, names },
  );
}

export function parameterMisshaped(name: string, shape: readonly number[], valueCount: number): ThawError {
  return make(
    "THAW_CORE_PARAMETER_MISSHAPED",
    `${valueCount} values were given for ${name}, whose shape is [${shape.join(", ")}]. In the trainer's parameter store. Check the file or initializer that they come from.`,
    { name, shape, valueCount },
  );
}

export function frozenMoved(names: readonly string[], step: number): ThawError {
  return make(
    "THAW_CORE_FROZEN_MOVED",
    `Frozen parameters changed: ${nameList(names)}. Found at step ${step}. A plugin or the model wrote to a tensor it only borrows; leave plugins out one by one to find it.`,
    { names, step },
  );
}
