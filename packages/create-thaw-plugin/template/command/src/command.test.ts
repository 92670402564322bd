import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { CommandContext } from "@thaw/core";
import { runTiny, tinyTrainerOptions, withTempFolder } from "@thaw/testing";
import { beforeAll, expect, it } from "vitest";
import { command } from "./command.js";

beforeAll(async () => {
  await setBackend("cpu");
});

it("says which step of a run had the lowest loss", () =>
  withTempFolder(async (output) => {
    const { losses } = await runTiny(tinyTrainerOptions({ output }));
    const [name] = await readdir(output);
    const said: string[] = [];
    const context = { out: (text: string) => said.push(text) } as unknown as CommandContext;
    const run = await command.load!();
    expect(await run({ arguments: [join(output, name!)], options: { last: Infinity } }, context)).toBe(0);
    const lowest = Math.min(...losses);
    expect(said).toEqual([`Step ${losses.indexOf(lowest) + 1} had the lowest loss: ${lowest}.`]);
  }));
