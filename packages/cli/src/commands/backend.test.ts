import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";

let cache = "";
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "thaw-cli-backend-"));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

it("uninstall says that nothing is there", async () => {
  expect(await thaw("backend", "install", "--uninstall", "--cache", cache)).toEqual({
    code: 0,
    out: `The backend "native" is not installed in ${cache}.`,
    err: "",
  });
});

it("install names what is missing and ends with 1", async () => {
  const { code, err } = await thaw("backend", "install", "--cache", cache, "--compiler", "no-such-compiler", "--quiet");
  expect(code).toBe(1);
  expect(err).toMatch(/THAW_INSTALL_(NO_COMPILER|PLATFORM)/);
});

it("bench of a missing backend names the command that gets it", async () => {
  const { code, err } = await thaw("backend", "bench", "--backend", "gpu", "--cache", cache);
  expect(code).toBe(1);
  expect(err).toContain("thaw backend install --cuda");
});

it("help lists what the backend command can do", async () => {
  const { code, out } = await thaw("backend", "--help");
  expect(code).toBe(0);
  expect(out).toMatch(/install \[options\][\s\S]*bench \[options\]/);
});
