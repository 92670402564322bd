import { existsSync, readdirSync, statSync } from "node:fs";
import type { check } from "./commands/check.js";
import type { plan } from "./commands/plan.js";
import type { why } from "./commands/why.js";
import type { isPlainConfig } from "./config/plain-config.js";

/** What `planning.ts` exports. */
export interface PlanningCommands {
  readonly check: typeof check;
  readonly plan: typeof plan;
  readonly why: typeof why;
  readonly isPlainConfig: typeof isPlainConfig;
}

/**
 * The commands that only plan: from the bundle where it is there and the config holds no code, else module by module.
 * Both are the same code; the bundle loads neither the rest of Thaw nor the parts of TensorFlow.js that planning does
 * not need.
 */
export async function planningCommands(
  config: string | undefined,
  set: readonly string[] = [],
): Promise<PlanningCommands> {
  // What may name code is read module by module
  const mayNameCode = set.some((text) => /^\s*(plugins|extends|stages|\$saved)\b/.test(text));
  const bundle = new URL("./planning.bundle.js", import.meta.url);
  if (!mayNameCode && existsSync(bundle) && isCurrent(bundle)) {
    const commands = (await import(bundle.href)) as PlanningCommands;
    if (await commands.isPlainConfig(config)) return commands;
  }
  return import("./planning/planning.js");
}

/**
 * In the repository a package may have been built after the bundle. Where Thaw is installed there is no build state to
 * compare with.
 */
function isCurrent(bundle: URL): boolean {
  const packages = new URL("../../", import.meta.url);
  const made = statSync(bundle).mtimeMs;
  return readdirSync(packages).every((name) => {
    const state = statSync(new URL(`${name}/dist/.tsbuildinfo`, packages), { throwIfNoEntry: false });
    return state === undefined || state.mtimeMs <= made;
  });
}
