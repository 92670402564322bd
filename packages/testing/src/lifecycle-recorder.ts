import type { TrainerApi, TrainerHooks } from "@thaw/core";

export type HookName = keyof TrainerHooks;

/** One call of a hook. */
export interface RecordedHook {
  readonly name: HookName;
  /** What the hook was called with; of a waterfall the value as it came in. */
  readonly payload: readonly unknown[];
}

/** The calls of a trainer's hooks, in order. */
export interface LifecycleRecorder {
  readonly calls: readonly RecordedHook[];
  readonly names: readonly HookName[];
  /** Names with runs of the same name shortened to `name x3`, which is what golden sequences are written in. */
  sequence(): string[];
  clear(): void;
}

/** Records every hook call of a trainer from now on, by interception: no tap is added, no value changed. */
export function recordLifecycle(trainer: TrainerApi): LifecycleRecorder {
  const calls: RecordedHook[] = [];
  for (const [name, hook] of Object.entries(trainer.hooks) as [
    HookName,
    { intercept(interceptor: { call(...payload: unknown[]): void }): void },
  ][]) {
    hook.intercept({ call: (...payload) => void calls.push({ name, payload }) });
  }
  return {
    calls,
    get names() {
      return calls.map(({ name }) => name);
    },
    sequence() {
      const runs: { name: string; count: number }[] = [];
      for (const { name } of calls) {
        const last = runs.at(-1);
        if (last?.name === name) last.count += 1;
        else runs.push({ name, count: 1 });
      }
      return runs.map(({ name, count }) => (count === 1 ? name : `${name} x${count}`));
    },
    clear() {
      calls.length = 0;
    },
  };
}
