import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeFoldersSync } from "@thaw/core";

/** Bytes of a folder of compiled functions from which on it is begun anew. */
const MOST_BYTES = 2 ** 30;
const KEYS_FILE = "keys.txt";

/** What XLA compiled in earlier runs, by keys of functions. */
export interface CompiledCache {
  /** What TensorFlow's library is told: where XLA keeps what it compiled. */
  readonly flags: string;
  has(key: string): boolean;
  add(key: string): void;
}

/**
 * Cards and driver of this machine, as NVIDIA's driver says them; null where it does not. @param folder for tests
 */
export function describeCards(folder = "/proc/driver/nvidia"): readonly string[] | null {
  try {
    const models = readdirSync(join(folder, "gpus")).map((name) => {
      const text = readFileSync(join(folder, "gpus", name, "information"), "utf8");
      return /^Model:\s*(.*?)\s*$/m.exec(text)?.[1] ?? "";
    });
    return [readFileSync(join(folder, "version"), "utf8").split("\n", 1)[0]!, ...models];
  } catch {
    return null;
  }
}

/**
 * A folder of compiled functions in `folder`, one for each card, driver and version, which are `facts`. Undefined where
 * it cannot be written: functions are compiled in every run then.
 */
export function openCompiledCache(folder: string, facts: readonly string[]): CompiledCache | undefined {
  const path = join(folder, createHash("sha256").update(facts.join("\n")).digest("hex").slice(0, 16));
  const list = join(path, KEYS_FILE);
  try {
    makeFoldersSync(path);
    if (bytesOf(path) > MOST_BYTES) {
      rmSync(path, { recursive: true });
      mkdirSync(path);
    }
    appendFileSync(list, "");
  } catch {
    return undefined;
  }
  const keys = new Set(readFileSync(list, "utf8").split("\n").filter(Boolean));
  return {
    flags: `--tf_xla_persistent_cache_directory=${path}`,
    has: (key) => keys.has(hashOf(key)),
    add(key) {
      const hash = hashOf(key);
      if (keys.has(hash)) return;
      keys.add(hash);
      try {
        appendFileSync(list, `${hash}\n`);
      } catch {
        // A full disk costs the next run a compilation, and this one nothing.
      }
    },
  };
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 24);
}

function bytesOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
