import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { isHere } from "../support/backends.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** What Debian's Chromium has for machines without a card. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
const env = {
  ...process.env,
  ...(process.env["VK_ICD_FILENAMES"] === undefined && existsSync(SWIFTSHADER)
    ? { VK_ICD_FILENAMES: SWIFTSHADER }
    : {}),
};

// Dawn ends a process where it does not get on, so that it has one of its own
it.skipIf(!isHere("webgpu"))("WebGPU computes what transformers computes, to the end of every run", (context) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["scripts/parity.mjs", "test/fixtures/goldens/llava", "--backend", "webgpu"],
    { cwd: root, encoding: "utf8", env },
  );
  if (/finds no adapter/.test(stdout + stderr)) context.skip("no adapter is here");
  expect(stdout.split("\n").filter((line) => line !== "" && !line.startsWith("pass"))).toEqual([]);
  expect({ status, count: stdout.trim().split("\n").length > 80 }).toEqual({ status: 0, count: true });
});
