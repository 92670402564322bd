import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const cacheFolder = process.env["THAW_TEST_CACHE"] ?? join(homedir(), ".cache", "thaw");
const isInstalled = existsSync(join(cacheFolder, "backends/native/manifest.json"));
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Line {
  readonly folder: string;
  readonly losses: readonly number[];
  readonly gradient: number;
  readonly made: number;
}

describe.runIf(isInstalled)("layers as functions in bfloat16, which hand it on", () => {
  // The other families: `node test/precision/handed-on.mjs`, in docs/performance.md.
  it.each(["llava", "gemma3", "qwen2_5_vl", "smolvlm"])(
    "give losses and gradients of float32 to its rounding: %s",
    async (folder) => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        at("handed-on.mjs"),
        cacheFolder,
        at(`../fixtures/goldens/${folder}`),
      ]);
      const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
      expect(lines).toHaveLength(2);
      for (const { losses, gradient, made } of lines.map((line) => JSON.parse(line) as Line)) {
        expect(made).toBeGreaterThan(0);
        for (const loss of losses) expect(Math.abs(loss)).toBeLessThan(2e-3);
        expect(gradient).toBeLessThan(2e-2);
        expect(gradient).toBeGreaterThan(0);
      }
    },
  );
});
