import { causeText, nameList, thrownAt, type ThawError } from "@thaw/contracts";
import { make } from "./make.js";

/** A plugin's tap, or its `apply`, threw something that is no `ThawError`. */
export function pluginFailed(plugin: string, hook: string, step: number | undefined, cause: unknown): ThawError {
  const place = thrownAt(cause);
  const where = [
    `hook ${hook}`,
    ...(step === undefined ? [] : [`step ${step + 1}`]),
    ...(place === undefined ? [] : [place]),
  ];
  return make(
    "THAW_CORE_PLUGIN_FAILED",
    `The plugin ${plugin} failed: ${causeText(cause)}. In ${where.join(", ")}. Fix or remove the plugin; --debug ` +
      "shows the stack (in a program: the error's cause).",
    { plugin, hook, step, ...(place === undefined ? {} : { place }) },
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

/** The same error with plugin, hook and step added; code, message and cause stay. */
export function pluginFailedWithCode(
  plugin: string,
  hook: string,
  step: number | undefined,
  error: ThawError,
): ThawError {
  return make(error.code, error.message, { ...error.details, plugin, hook, step }, error.cause ?? error);
}

/** A tap gave something that its hook has no use for. */
export function tapReturnedWrong(plugin: string, hook: string, problem: string, wanted: string): ThawError {
  return make(
    "THAW_CORE_TAP_RETURNED_WRONG",
    `The plugin ${plugin} returned ${problem}. In hook ${hook}. Return ${wanted}.`,
    { plugin, hook, problem },
  );
}

/** A tap that nobody would wait for. */
export function asyncTap(plugin: string, hook: string): ThawError {
  return make(
    "THAW_CORE_TAP_ASYNC",
    `The plugin ${plugin} gave tap a function that answers with a promise, and nobody would wait for it. In hook ` +
      `${hook}. Give it to tapPromise where the hook is async; in a sync hook do what takes time in an earlier one.`,
    { plugin, hook },
  );
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

/** The run waits for something that is not a tap, and nothing is left that could end the wait. */
export function runStalled(): ThawError {
  return make(
    "THAW_CORE_RUN_STALLED",
    "The run waits for a promise that never settles: nothing is left that could settle it. In a data source, an " +
      "evaluator or a backend. Resolve or reject it.",
    {},
  );
}
