import {
  asyncTap,
  pluginFailed,
  pluginFailedWithCode,
  tapNeverSettled,
  tapReturnedNothing,
} from "../errors/plugins.js";
import { enterTap, ThawError, type TapPlace } from "@thaw/contracts";
import { AsyncSeriesWaterfallHook, SyncWaterfallHook } from "tapable";
import type { TrainerHooks } from "../api/hooks.js";
import type { Plugin } from "../api/plugin.js";
import type { TrainerApi } from "../api/trainer-api.js";

/** One tap, in the order in which its hook calls it. */
export interface TapDescription {
  readonly hook: string;
  readonly plugin: string;
  readonly stage: number;
  readonly callCount: number;
  readonly durationMs: number;
}

/** Judges what one tap returned, `before` being what it was given; throws an error that names the plugin. */
export type ResultCheck = (plugin: string, before: unknown, after: unknown) => void;

type AnyFunction = (...parameters: unknown[]) => unknown;
type AnyTap = { name: string; stage?: number; type: string; fn: AnyFunction };
/** A hook says what it is itself: tapable sets `constructor`, and makes no instances of its classes. */
const WATERFALLS: readonly unknown[] = [SyncWaterfallHook, AsyncSeriesWaterfallHook];
type AnyHook = { readonly taps: readonly AnyTap[]; intercept(interceptor: { register(tap: AnyTap): AnyTap }): void };

interface TapRecord {
  callCount: number;
  durationMs: number;
}
interface PendingTap extends TapPlace {
  readonly reject: (error: ThawError) => void;
}

/**
 * Wraps every tap of every hook, now and later: errors gain plugin, hook and step, calls are counted and timed,
 * waterfall taps that return nothing and taps that return what their hook has no use for are refused by name, and taps
 * that never settle are known by name.
 */
export class HookWatch {
  /** Set by the run, for error messages. */
  step: number | undefined;
  readonly #hooks: TrainerHooks;
  readonly #records = new Map<AnyFunction, TapRecord>();
  readonly #checks: Partial<Record<keyof TrainerHooks, ResultCheck>>;
  readonly #pending = new Set<PendingTap>();

  constructor(hooks: TrainerHooks, checks: Partial<Record<keyof TrainerHooks, ResultCheck>> = {}) {
    this.#hooks = hooks;
    this.#checks = checks;
    for (const [name, hook] of Object.entries(hooks))
      (hook as unknown as AnyHook).intercept({ register: (tap) => this.#wrap(name, tap) });
  }

  /** Every tap in calling order. */
  describe(): readonly TapDescription[] {
    return Object.entries(this.#hooks).flatMap(([hook, { taps }]) =>
      (taps as unknown as readonly AnyTap[]).map(({ name, stage, fn }) => ({
        hook,
        plugin: name,
        stage: stage ?? 0,
        ...this.#records.get(fn)!,
      })),
    );
  }

  /** Calls a plugin's `apply`, which is watched as a tap is. @throws THAW_CORE_PLUGIN_FAILED */
  apply(plugin: Plugin, trainer: TrainerApi): void {
    const leave = enterTap(plugin.name, "apply");
    try {
      const result = plugin.apply?.(trainer) as unknown;
      if (isThenable(result)) {
        (result as Promise<unknown>).then(undefined, () => undefined);
        throw new TypeError("apply is async, and nobody awaits it: tap a hook by tapPromise for what takes time");
      }
    } catch (error) {
      throw error instanceof ThawError ? error : pluginFailed(plugin.name, "apply", undefined, error);
    } finally {
      leave();
    }
  }

  /** Rejects taps that are waited for although the event loop has nothing left to do. Returns how many. */
  rejectPending(): number {
    const pending = [...this.#pending];
    for (const { plugin, hook, reject } of pending) reject(tapNeverSettled(plugin, hook));
    return pending.length;
  }

  #wrap(hook: string, tap: AnyTap): AnyTap {
    if (tap.type === "sync" && tap.fn.constructor.name === "AsyncFunction") throw asyncTap(tap.name, hook);
    const record: TapRecord = { callCount: 0, durationMs: 0 };
    const wrapped =
      tap.type === "promise"
        ? this.#wrapPromise(hook, tap, record)
        : tap.type === "async"
          ? this.#wrapCallback(hook, tap, record)
          : this.#wrapSync(hook, tap, record);
    this.#records.set(wrapped, record);
    return { ...tap, fn: wrapped };
  }

  #wrapSync(hook: string, { name, fn }: AnyTap, record: TapRecord): AnyFunction {
    return (...parameters) => {
      const start = performance.now();
      const leave = enterTap(name, hook);
      try {
        const result = fn(...parameters);
        if (isThenable(result)) {
          (result as Promise<unknown>).then(undefined, () => undefined);
          throw asyncTap(name, hook);
        }
        this.#check(hook, name, parameters[0], result);
        return result;
      } catch (error) {
        throw this.#named(name, hook, error);
      } finally {
        leave();
        count(record, start);
      }
    };
  }

  #wrapPromise(hook: string, { name, fn }: AnyTap, record: TapRecord): AnyFunction {
    return async (...parameters) => {
      const start = performance.now();
      let pending: PendingTap | undefined;
      const leave = enterTap(name, hook);
      try {
        const result = await Promise.race([
          Promise.resolve(fn(...parameters)),
          new Promise<never>((_, reject) => {
            this.#pending.add((pending = { plugin: name, hook, reject }));
          }),
        ]);
        this.#check(hook, name, parameters[0], result);
        return result;
      } catch (error) {
        throw this.#named(name, hook, error);
      } finally {
        if (pending !== undefined) this.#pending.delete(pending);
        leave();
        count(record, start);
      }
    };
  }

  #wrapCallback(hook: string, tap: AnyTap, record: TapRecord): AnyFunction {
    const settle: AnyFunction = (...parameters) =>
      new Promise<unknown>((resolve, reject) => {
        tap.fn(...parameters, (error?: Error | null, result?: unknown) => {
          if (error) reject(error);
          else resolve(result);
        });
      });
    const wrapped = this.#wrapPromise(hook, { ...tap, fn: settle }, record);
    return (...all) => {
      const callback = all.at(-1) as (error: unknown, result?: unknown) => void;
      void (wrapped(...all.slice(0, -1)) as Promise<unknown>).then(
        (result) => callback(null, result),
        (error: unknown) => callback(error),
      );
    };
  }

  #check(hook: string, plugin: string, before: unknown, after: unknown): void {
    const isWaterfall = WATERFALLS.includes(this.#hooks[hook as keyof TrainerHooks].constructor);
    if (after === undefined && isWaterfall) throw tapReturnedNothing(plugin, hook);
    if (after === undefined) return;
    this.#checks[hook as keyof TrainerHooks]?.(plugin, before, after);
  }

  #named(plugin: string, hook: string, error: unknown): ThawError {
    if (!(error instanceof ThawError)) return pluginFailed(plugin, hook, this.step, error);
    return "plugin" in error.details ? error : pluginFailedWithCode(plugin, hook, this.step, error);
  }
}

function count(record: TapRecord, start: number): void {
  record.callCount += 1;
  record.durationMs += performance.now() - start;
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
