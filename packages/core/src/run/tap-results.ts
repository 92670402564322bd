import * as tf from "@tensorflow/tfjs-core";
import type { Batch, Rows } from "@thaw/contracts";
import type { TrainerHooks } from "../api/hooks.js";
import type { Ensemble } from "../ensemble/ensemble.js";
import { tapReturnedWrong, trainabilityChanged } from "../errors/plugins.js";
import type { ResultCheck } from "./intercept.js";

type Problem = string | undefined;
type Fields = Readonly<Record<string, unknown>>;

/** A check that knows what the hook wants, and says what is wrong with what it got. */
function check(
  hook: keyof TrainerHooks,
  wanted: string,
  find: (after: unknown, before: unknown) => Problem,
): ResultCheck {
  return (plugin, before, after) => {
    // What was given is what core made, or another tap's that was checked
    if (after === before) return;
    const problem = find(after, before);
    if (problem !== undefined) throw tapReturnedWrong(plugin, hook, problem, wanted);
  };
}

/** Whose gradients there are is the plan's matter; this judges the values. */
const gradients: ResultCheck = (plugin, before, after) => {
  if (after === before) return;
  const wanted = "a Map of float32 tensors by parameter, of the shapes that were given";
  if (!(after instanceof Map)) throw tapReturnedWrong(plugin, "gradients", described(after), wanted);
  const [given, returned] = [before, after] as ReadonlyMap<string, unknown>[] as [
    ReadonlyMap<string, tf.Tensor>,
    ReadonlyMap<string, unknown>,
  ];
  const added = [...returned.keys()].filter((name) => !given.has(name));
  const left = [...given.keys()].filter((name) => !returned.has(name));
  if (added.length > 0) throw trainabilityChanged(plugin, "gradients", added, "returned gradients for");
  if (left.length > 0) throw trainabilityChanged(plugin, "gradients", left, "left out the gradients of");
  for (const [name, value] of returned) {
    const problem = tensorProblem(value, given.get(name)!.shape);
    if (problem !== undefined) throw tapReturnedWrong(plugin, "gradients", `${problem} for ${name}`, wanted);
  }
};

/**
 * What taps of each hook may return; hooks whose results nobody reads are absent. A wrong result is refused where it
 * is returned, so that the plugin is named and not what stumbles over it.
 */
export const RESULT_CHECKS: Partial<Record<keyof TrainerHooks, ResultCheck>> = {
  parameters: check("parameters", "the list that was given, with your parameters added", (after) =>
    listProblem(after, ({ name, shape, dtype }) =>
      typeof name === "string" && Array.isArray(shape) && shape.every(Number.isSafeInteger) && typeof dtype === "string"
        ? undefined
        : "name, shape or dtype",
    ),
  ),
  plan: check("plan", "a plan: { phases: [{ fromStep, entries }] }", (after) => {
    if (!isFields(after)) return described(after);
    return listProblem(after["phases"], ({ fromStep, entries }) =>
      Number.isSafeInteger(fromStep)
        ? listProblem(entries, ({ name, component, trainable, group, reason }) =>
            [name, component, group].every((text) => typeof text === "string") &&
            typeof trainable === "boolean" &&
            isFields(reason)
              ? undefined
              : "name, component, trainable, group or reason",
          )
        : "fromStep",
    );
  }),
  parameterGroups: check("parameterGroups", "a list of groups: name, learningRate, weightDecay, schedule", (after) =>
    listProblem(after, ({ name, learningRate, weightDecay, schedule }) =>
      typeof name === "string" && [learningRate, weightDecay].every(Number.isFinite) && isFields(schedule)
        ? undefined
        : "name, learningRate, weightDecay or schedule",
    ),
  ),
  findings: check("findings", "a list of findings: rule, severity, message, fix, settings", (after) =>
    listProblem(after, ({ rule, severity, message, fix, settings }) =>
      [rule, message, fix].every((text) => typeof text === "string") &&
      ["error", "warning", "note"].includes(severity as string) &&
      Array.isArray(settings)
        ? undefined
        : "rule, severity, message, fix or settings",
    ),
  ),
  batch: check("batch", "the batch that was given, or one like it", batchProblem),
  scope: check("scope", "the scope that was given, or a ScopeLayer around it", (after) =>
    withFunctions(after, ["parameter", "hasParameter", "linear", "segment", "constant", "own"]),
  ),
  loss: check("loss", "the loss that was given, or a scalar made of it by ops", (after) => {
    if (!isFields(after) || !("needsGradient" in after)) return described(after);
    return tensorProblem(after["tensor"], []);
  }),
  gradients,
  checkpoint: check(
    "checkpoint",
    "the state that was given, with yours under your plugin's name, as JSON",
    stateProblem,
  ),
  exported: check("exported", "a Float32Array as long as the one that was given", (after, before) =>
    after instanceof Float32Array
      ? after.length === (before as Float32Array).length
        ? undefined
        : `${after.length} values where ${(before as Float32Array).length} were given`
      : described(after),
  ),
  resolveBackend: check("resolveBackend", "a backend: { name, description, matmul }, or nothing", (after) => {
    if (!isFields(after)) return described(after);
    const { name, description, matmul } = after;
    const isRight = [name, description].every((text) => typeof text === "string");
    return isRight && ["flags", "plain2d"].includes(matmul as string)
      ? undefined
      : "an object without a name, a description or a way to multiply";
  }),
  resolveEnsemble: check("resolveEnsemble", "an Ensemble, or nothing", (after) => {
    const problem = withFunctions(after, ["sum", "gather", "close"]);
    if (problem !== undefined) return problem;
    const { rank, size } = after as Partial<Ensemble>;
    return Number.isSafeInteger(rank) && Number.isSafeInteger(size) ? undefined : "an object without a rank or a size";
  }),
  resolveOptimizer: check("resolveOptimizer", "an Optimizer, or nothing", (after) =>
    withFunctions(after, ["update", "slots", "restore", "drop", "dispose"]),
  ),
  shouldStop: check("shouldStop", '{ stop: "run" or "epoch", reason }, or nothing', (after) => {
    if (!isFields(after)) return described(after);
    return ["run", "epoch"].includes(after["stop"] as string) && typeof after["reason"] === "string"
      ? undefined
      : "an object without a stop or a reason";
  }),
};

function batchProblem(after: unknown): Problem {
  if (!isFields(after)) return described(after);
  const { batchSize, tokenCount, media, samples, segmentOutputs } = after as Partial<Batch>;
  if (!Number.isSafeInteger(batchSize) || !Number.isSafeInteger(tokenCount)) return "a batch without its sizes";
  for (const name of ["tokenIds", "attentionMask", "labels"] as const) {
    const values = after[name];
    if (!(values instanceof Int32Array)) return `a batch whose ${name} are ${described(values)}`;
    if (values.length !== batchSize! * tokenCount!)
      return `a batch with ${values.length} ${name} for ${batchSize} rows of ${tokenCount} tokens`;
  }
  if (!Array.isArray(media) || !Array.isArray(samples)) return "a batch without its media or samples";
  if (!isFields(segmentOutputs)) return `a batch whose segmentOutputs are ${described(segmentOutputs)}`;
  for (const [segment, rows] of Object.entries(segmentOutputs as Readonly<Record<string, Partial<Rows>>>)) {
    const problem = isFields(rows) ? tensorProblem(rows.tensor) : described(rows);
    if (problem !== undefined) return `a batch whose output of ${segment} is ${problem}`;
    if (!((rows as Partial<Rows>).offsets instanceof Int32Array))
      return `a batch whose output of ${segment} has no offsets`;
  }
  return undefined;
}

/** Other plugins' state stays, and what is not JSON would come back as something else. */
function stateProblem(after: unknown, before: unknown): Problem {
  if (!isFields(after)) return described(after);
  const given = before as Fields;
  const lost = Object.keys(given).find((name) => !(name in after));
  if (lost !== undefined) return `a state without that of ${lost}`;
  for (const [name, state] of Object.entries(after)) {
    const place = state === given[name] ? undefined : notJson(state, name, []);
    if (place !== undefined) return `a state in which ${place}`;
  }
  return undefined;
}

function notJson(value: unknown, path: string, around: readonly object[]): Problem {
  if (value === null || value === undefined || ["string", "boolean"].includes(typeof value)) return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (typeof value !== "object") return `${path} is ${described(value)}`;
  if (around.includes(value)) return `${path} holds itself`;
  if (!Array.isArray(value) && ![Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null))
    return `${path} is ${described(value)}`;
  for (const [key, inner] of Object.entries(value)) {
    const problem = notJson(inner, `${path}.${key}`, [...around, value]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function listProblem(value: unknown, missing: (item: Fields) => Problem): Problem {
  if (!Array.isArray(value)) return described(value);
  for (const [index, item] of value.entries()) {
    if (!isFields(item)) return `a list whose item ${index} is ${described(item)}`;
    const problem = missing(item);
    if (problem !== undefined) return `a list whose item ${index} has no right ${problem}`;
  }
  return undefined;
}

function withFunctions(value: unknown, names: readonly string[]): Problem {
  if (!isFields(value)) return described(value);
  const missing = names.find((name) => typeof value[name] !== "function");
  return missing === undefined ? undefined : `an object without ${missing}()`;
}

function tensorProblem(value: unknown, shape?: readonly number[]): Problem {
  if (!(value instanceof tf.Tensor)) return described(value);
  if (value.isDisposed) return "a tensor that is disposed";
  if (value.dtype !== "float32") return `a tensor of ${value.dtype}`;
  if (
    shape === undefined ||
    (shape.length === value.shape.length && shape.every((size, axis) => size === value.shape[axis]))
  )
    return undefined;
  return `a tensor of shape [${value.shape.join(", ")}] for one of [${shape.join(", ")}]`;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "object") return `a ${typeof value}`;
  return value.constructor === Object ? "an object without what is needed" : `a ${value.constructor?.name ?? "object"}`;
}
