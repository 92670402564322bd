/** Whose tap it is, and of which hook; `apply` for the plugin's own. */
export interface TapPlace {
  readonly plugin: string;
  readonly hook: string;
}

const RUNNING = Symbol.for("@thaw/running-taps");
/** Of all trainers of this process, whichever copy of this package they know. */
const running: TapPlace[] = ((globalThis as { [RUNNING]?: TapPlace[] })[RUNNING] ??= []);

/** Notes that a tap begins; the result ends it. */
export function enterTap(plugin: string, hook: string): () => void {
  const place = { plugin, hook };
  running.push(place);
  return () => void running.splice(running.lastIndexOf(place), 1);
}

/**
 * The tap that runs or is waited for in this process, the last one that began; undefined outside of taps. It says who
 * ended the process where it was ended.
 */
export function runningTap(): TapPlace | undefined {
  return running.at(-1);
}
