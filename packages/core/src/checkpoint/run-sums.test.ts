import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

const stop = tapped("Stop", (trainer) => {
  trainer.hooks.afterStep.tap("Stop", ({ step }) => {
    if (step === 0) trainer.stop("Ctrl-C");
  });
});
const options = { data: { train: toySource({ sampleCount: 4 }) }, training: { maxSteps: 2, microBatchSize: 2 } };

/** A run that was stopped after its first step of two. */
async function stopped(): Promise<string> {
  return (await runToy({ ...options, output, plugins: [stop] })).summary.runFolder!;
}

it.each<[string, (path: string) => Promise<void>]>([
  ["lost", (path) => rm(path)],
  ["longer", (path) => appendFile(path, " ")],
  ["other in one letter", async (path) => writeFile(path, (await readFile(path, "utf8")).replace('"', "'"))],
])("a fixed file of a run folder that is %s is named before the run goes on", async (_, damage) => {
  for (const name of ["config.json", "plan.json"]) {
    const folder = await stopped();
    await damage(join(folder, name));
    await expect(runToy({ ...options, resume: { from: folder } })).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_DAMAGED",
      message: expect.stringContaining(join(folder, name)) as string,
    });
  }
});

it("whoever changes a file on purpose removes the sums, and the run goes on", async () => {
  const folder = await stopped();
  await rm(join(folder, "thaw-manifest.json"));
  await appendFile(join(folder, "plan.json"), " ");
  expect((await runToy({ ...options, resume: { from: folder } })).summary.steps).toBe(2);
});
