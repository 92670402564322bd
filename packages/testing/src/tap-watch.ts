import type { Batch, CheckpointState, Plugin, TrainerApi } from "@thaw/core";

/** A tap as its plugin registered it. */
export interface WatchedTap {
  readonly hook: string;
  readonly name: string;
  readonly method: "tap" | "tapPromise" | "tapAsync";
  readonly before?: unknown;
}

/** What a plugin did in one trainer. */
export interface PluginWatch {
  readonly taps: WatchedTap[];
  /** What its taps changed, in the words of `Claims.writes`: `plan`, `batch`, `segmentOutputs:vision_tower`, ... */
  readonly writes: Set<string>;
  /** Keys that it added to or changed in the checkpoint state. */
  readonly stateKeys: Set<string>;
  /** Hooks that were called while `apply` ran. */
  readonly calledInApply: string[];
  /** What `apply` returned. */
  applied: unknown;
}

type AnyFunction = (...parameters: unknown[]) => unknown;
type TapOptions = string | { readonly name: string; readonly before?: unknown };
type TapMethod = (options: TapOptions, fn: AnyFunction) => void;
interface AnyHook {
  tap: TapMethod;
  tapPromise: TapMethod;
  tapAsync: TapMethod;
  intercept(interceptor: { call(): void }): void;
}

const WATERFALLS = new Set([
  "parameters",
  "plan",
  "parameterGroups",
  "findings",
  "batch",
  "scope",
  "loss",
  "gradients",
  "checkpoint",
  "exported",
]);
/** Values that are compared by identity: they hold tensors, or are large. */
const BY_IDENTITY = new Set(["scope", "loss", "exported"]);
const METHODS = ["tap", "tapPromise", "tapAsync"] as const;

/**
 * The plugin, and what it does in the trainer that it is given to: its taps alone are watched, not those of other
 * plugins.
 */
export function watchPlugin(plugin: Plugin): { readonly plugin: Plugin; readonly watch: PluginWatch } {
  const watch: PluginWatch = {
    taps: [],
    writes: new Set(),
    stateKeys: new Set(),
    calledInApply: [],
    applied: undefined,
  };
  const apply = (trainer: TrainerApi): void => {
    const hooks = Object.entries(trainer.hooks) as unknown as readonly (readonly [string, AnyHook])[];
    let isApplying = true;
    const restores = hooks.flatMap(([name, hook]) => {
      hook.intercept({
        call: () => {
          if (isApplying) watch.calledInApply.push(name);
        },
      });
      return METHODS.map((method) => watchMethod(name, hook, method, watch));
    });
    try {
      watch.applied = (plugin as { apply?(trainer: TrainerApi): unknown }).apply?.(trainer);
    } finally {
      isApplying = false;
      for (const restore of restores) restore();
    }
  };
  return { plugin: Object.create(plugin, { apply: { value: apply } }) as Plugin, watch };
}

/** Puts a watching method in place of the hook's; gives back what undoes it. */
function watchMethod(
  hookName: string,
  hook: AnyHook,
  method: (typeof METHODS)[number],
  watch: PluginWatch,
): () => void {
  const original = hook[method];
  hook[method] = (options, fn) => {
    const { name, before } = typeof options === "string" ? { name: options } : options;
    watch.taps.push({ hook: hookName, name, method, before });
    const isCompared = WATERFALLS.has(hookName) && method !== "tapAsync";
    original.call(hook, options, isCompared ? compared(hookName, method === "tapPromise", fn, watch) : fn);
  };
  return () => {
    hook[method] = original;
  };
}

/** The tap, noting what it changed of the value that went through it. */
function compared(hook: string, isPromise: boolean, fn: AnyFunction, watch: PluginWatch): AnyFunction {
  const note = (before: unknown, after: unknown): unknown => {
    if (after === before || after === undefined) return after;
    if (hook === "batch") noteBatch(before as Batch, after as Batch, watch.writes);
    else if (hook === "checkpoint") noteState(before as CheckpointState, after as CheckpointState, watch.stateKeys);
    else if (BY_IDENTITY.has(hook) || isChanged(before, after)) watch.writes.add(hook);
    return after;
  };
  if (isPromise) return async (...parameters) => note(parameters[0], await fn(...parameters));
  return (...parameters) => note(parameters[0], fn(...parameters));
}

function noteBatch(before: Batch, after: Batch, writes: Set<string>): void {
  for (const [segment, output] of Object.entries(after.segmentOutputs)) {
    if (before.segmentOutputs[segment] !== output) writes.add(`segmentOutputs:${segment}`);
  }
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof Batch>;
  fields.delete("segmentOutputs");
  if ([...fields].some((field) => before[field] !== after[field])) writes.add("batch");
}

function noteState(before: CheckpointState, after: CheckpointState, keys: Set<string>): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
    if (before[key] !== after[key]) keys.add(key);
}

/** Copies of equal content count as unchanged; maps of tensors are compared by identity, entry by entry. */
function isChanged(before: unknown, after: unknown): boolean {
  if (before instanceof Map && after instanceof Map)
    return before.size !== after.size || [...after].some(([key, value]) => before.get(key) !== value);
  return JSON.stringify(before) !== JSON.stringify(after);
}
