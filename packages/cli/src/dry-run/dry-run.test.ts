import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withTempFolder } from "@thaw/testing";
import { describe, expect, it } from "vitest";
import { main } from "../main.js";
import { memoryTerminal } from "../terminal/terminal.js";
import { forecast, type Forecast, type Trial } from "./forecast.js";

const checkpoint = fileURLToPath(new URL("../../../../examples/emoji-captioner/checkpoint", import.meta.url));
/** How far an estimate may be from what happens. */
const TOLERANCE = 0.25;

async function thaw(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = memoryTerminal(200);
  const code = await main(args, terminal);
  return { code, out: terminal.outText(), err: terminal.errText() };
}

const FREEZE = {
  projector: "train_mm_proj_only: true",
  everything: "freeze_vision_tower: false, freeze_multi_modal_projector: false, freeze_language_model: false",
  adapters:
    "freeze_vision_tower: true, freeze_multi_modal_projector: false, " +
    "components: { language_model: { lora: { rank: 4 } } }",
};

function config(folder: string, freeze: string, isEvaluated = true): string {
  return JSON.stringify({
    model: { path: checkpoint },
    data: {
      train: { type: "iconify", set: "noto", limit: 12 },
      ...(isEvaluated && { evaluation: { held: { type: "iconify", set: "twemoji", limit: 6, concepts: "all" } } }),
      max_new_tokens: 2,
    },
    freeze: "FREEZE",
    training: { max_steps: 8, micro_batch_size: 2, learning_rate: 1e-4 },
    backend: "wasm",
    output: join(folder, "runs"),
    run_name: "run",
    seed: 1,
  }).replace('"FREEZE"', `{ ${freeze} }`);
}

describe.each(Object.entries(FREEZE))("thaw plan --dry-run, %s", (name, freeze) => {
  it("says what memory a run will need, and what it measured of its time, and writes nothing", () =>
    withTempFolder(async (folder) => {
      const path = join(folder, "thaw.config.yaml");
      const isEvaluated = name === "projector";
      await writeFile(path, config(folder, freeze, isEvaluated));
      const tried = await thaw("plan", path, "--dry-run", "--json");
      expect(tried.code, tried.err).toBe(0);
      expect(await readdir(folder)).toEqual(["thaw.config.yaml"]);
      const told = JSON.parse(tried.out) as Forecast & { trial: Trial; totalSteps: number };
      const { trial, ...said } = told;
      // 12 samples are an epoch of 6 steps: 5 of them, and the same ones again
      expect([told.totalSteps, trial.newMs.length, trial.seenMs.length]).toEqual([8, 5, 3]);
      expect(said).toEqual({ totalSteps: 8, ...forecast(trial, { totalSteps: 8, newSteps: 6 }) });
      const evaluations = isEvaluated ? ["held", "captions/held"] : [];
      expect(said.evaluations.map((one) => [one.name, one.times])).toEqual(evaluations.map((one) => [one, 2]));

      const trained = await thaw("train", path, "--quiet", "--log-level", "error");
      expect(trained.code, trained.err).toBe(0);
      const run = join(folder, "runs", (await readdir(join(folder, "runs")))[0]!);
      const summary = JSON.parse(await readFile(join(run, "summary.json"), "utf8")) as {
        numbers: Record<"estimatedStepBytes" | "stepPeakBytes" | "residentBytes" | "stepsMs" | "tellingSteps", number>;
      };
      const { estimatedStepBytes, stepPeakBytes, residentBytes, stepsMs, tellingSteps } = summary.numbers;
      for (const estimate of [trial.estimatedStepBytes, estimatedStepBytes])
        expect(Math.abs(estimate / stepPeakBytes - 1)).toBeLessThan(TOLERANCE);
      expect(residentBytes).toBe(trial.residentBytes);
      expect(residentBytes).toBeLessThan(stepPeakBytes);
      expect([stepsMs > 0, tellingSteps]).toEqual([true, 5 + 2]);
      expect(trained.out).toMatch(/Memory of a step: .* by the first step and the largest micro-batch, .* measured\./u);
      expect(trained.out).toMatch(/Time of 8 steps: .* by 7 of them, .* measured\./u);
    }));
});

it("prints a table, and refuses options that have no meaning beside it and configs with conflicts", () =>
  withTempFolder(async (folder) => {
    const path = join(folder, "thaw.config.yaml");
    await writeFile(path, config(folder, FREEZE.projector));
    const short = ["--set", "training.max_steps=1", "--set", "data.evaluation=null"];
    const tried = await thaw("plan", path, "--dry-run", ...short);
    expect([tried.code, tried.out.split("\n").map((line) => line.split("  ")[0])]).toEqual([
      0,
      expect.arrayContaining(["This run on this machine, estimated", "memory", "a step", "steps", "whole run"]),
    ]);
    expect(tried.out.replaceAll("\n", " ")).toContain("Measured: 1 real steps on wasm");
    await expect(thaw("plan", path, "--dry-run", "--at-step", "3")).resolves.toMatchObject({ code: 2 });
    const refused = await thaw("plan", path, "--dry-run", "--set", "freeze.freeze_vision_tower=false");
    expect([refused.code, refused.out]).toEqual([1, ""]);
  }));
