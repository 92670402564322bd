import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const trial = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, ["scripts/trial.mjs", ...args], { cwd: root });
const names = (await readdir(new URL("../../scripts/trials", import.meta.url)))
  .filter((file) => file.endsWith(".mjs"))
  .map((file) => file.slice(0, -4));

// Most of a trial's time its processes start or wait for each other.
it.concurrent.each(names)("%s: all that is tried in some seconds survives", async (name) => {
  const { stdout } = await trial(name, "--seconds", "4", "--json", "--built");
  const result = JSON.parse(stdout) as { readonly count: number; readonly survived: number };
  expect(result.count).toBeGreaterThan(0);
  expect(result).toEqual({
    trial: name,
    count: result.count,
    survived: result.count,
    silent: 0,
    lost: 0,
    hung: 0,
    crashed: 0,
  });
});

it("says which trials there are", async () => {
  await expect(trial("nothing")).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining("damage") as string,
  });
  await expect(trial("damage", "--count", "-1")).rejects.toMatchObject({ code: 2 });
});
