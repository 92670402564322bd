import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { openSafetensors } from "@thaw/core";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
let work: WorkFolder;
let tensors = 0;

const CONFIG = `model: ${checkpoint}
data: { train: ./train.jsonl, workers: 0 }
training: { micro_batch_size: 2, learning_rate: 1e-2 }
backend: wasm
plugins: [./stop.mjs]
stages:
  - name: align
    freeze: { train_mm_proj_only: true }
    training: { max_steps: 2 }
  - name: instruct
    freeze: { components: { language_model: { last_blocks: 1 } } }
    data: { train: ./second.jsonl }
    training: { max_steps: 3 }
`;

/** Presses Ctrl-C after a step of the run that has as many steps as a file says. */
const STOP = `import { existsSync, readFileSync } from "node:fs";
export default { name: "Stop", apiVersion: 1, apply: (trainer) => {
  trainer.hooks.afterStep.tap("Stop", ({ step, totalSteps }) => {
    const isDue = step === 0 && existsSync("stop") && Number(readFileSync("stop", "utf8")) === totalSteps;
    if (isDue) process.emit("SIGINT");
  });
} };
`;

beforeAll(async () => {
  await setBackend("cpu");
});
beforeEach(() => {
  tensors = memory().numTensors;
  work = enterWorkFolder("thaw-stages-");
  for (const name of ["image0.png", "image1.png"]) cpSync(join(checkpoint, name), name);
  writeFileSync(
    "train.jsonl",
    [0, 1, 0, 1].map((index) => JSON.stringify({ image: `image${index}.png`, caption: "a cat" })).join("\n"),
  );
  writeFileSync(
    "second.jsonl",
    [1, 0, 1].map((index) => JSON.stringify({ image: `image${index}.png`, caption: "a red dog" })).join("\n"),
  );
  writeFileSync("stop.mjs", STOP);
  writeFileSync("thaw.config.yaml", CONFIG);
});
afterEach(() => {
  work.leave();
  expect(memory().numTensors).toBe(tensors);
});

const train = (...args: readonly string[]) => thaw("train", "--quiet", "--log-level", "error", ...args);
const runOf = (out: string): string => /^Run: (.*)$/m.exec(out)![1]!;

async function parameters(run: string, stage: string): Promise<ReadonlyMap<string, Float32Array>> {
  const reader = await openSafetensors(join(run, stage, "final/trained.safetensors"));
  const values = new Map<string, Float32Array>();
  for (const name of reader.entries.keys()) values.set(name, await reader.readFloat32(name));
  await reader.close();
  return values;
}

describe("a staged recipe", () => {
  it("is planned, checked, printed and explained as a whole", async () => {
    const planned = await thaw("plan");
    expect(planned.out).toMatch(
      new RegExp(
        String.raw`Stage 1 of 2: align\n[\s\S]*multi_modal_projector +2,368 +trainable[\s\S]*Stage 2 of` +
          String.raw` 2: instruct\n[\s\S]*language_model +38,560 +partial`,
      ),
    );
    const { stages } = JSON.parse((await thaw("plan", "--json")).out) as {
      stages: { name: string; hash: string; components: unknown[]; parameters: unknown[] }[];
    };
    expect(stages.map((stage) => Object.keys(stage))).toEqual([
      ["name", "hash", "components", "parameters"],
      ["name", "hash", "components", "parameters"],
    ]);
    expect(await thaw("check")).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^Checker: no conflicts\.\nChecked thaw\.config\.yaml and the first samples of its data;/,
      ) as string,
    });
    expect((await thaw("why", "multi_modal_projector")).out).toMatch(
      new RegExp(
        String.raw`^Stage 1 of 2: align\nmulti_modal_projector is trained by freeze.train_mm_proj_only:` +
          String.raw` true[\s\S]*\nStage 2 of 2: instruct\nmulti_modal_projector is frozen by default`,
      ),
    );
    expect((await thaw("config")).out).toMatch(
      /Stage 1 of 2: align\n[\s\S]*training.max_steps: 2 +# thaw.config.yaml:9[\s\S]*Stage 2 of 2: instruct/,
    );
    writeFileSync("other.yaml", CONFIG.replace("{ last_blocks: 1 }", "train"));
    expect((await thaw("plan", "--diff", "other.yaml")).out).toMatch(
      new RegExp(
        String.raw`^Stage 1 of 2: align\nThe plans are the same \(\w{12}\).\nStage 2 of 2: instruct\nfr` +
          String.raw`om step[\s\S]*language_model`,
      ),
    );
  });

  it("names the stage of what is wrong with one, and does not start", async () => {
    writeFileSync("thaw.config.yaml", CONFIG.replace("last_blocks: 1", "last_blocks: 7"));
    const { code, out } = await thaw("check");
    expect(code).toBe(1);
    expect(out).toContain("Stage instruct: ");
    expect(out).toContain("selector-matches-nothing");
    const refused = await train();
    expect([refused.code, existsSync("runs")]).toEqual([1, false]);
    expect(refused.err).toContain("Nothing was trained.");
    writeFileSync("thaw.config.yaml", CONFIG);
    writeFileSync("second.jsonl", "{ half");
    expect((await train()).err).toContain("second.jsonl:1");
    expect(existsSync("runs") && readdirSync("runs").length > 0).toBe(false);
  });

  it("trains each stage on its data with what the ones before it trained, in folders of their own", async () => {
    const { code, out } = await train();
    expect(code).toBe(0);
    const run = runOf(out);
    expect(readdirSync(run).sort()).toEqual(["1-align", "2-instruct", "stages.json"]);
    expect(readdirSync(join(run, "2-instruct")).sort()).toEqual([
      "checkpoints",
      "config.json",
      "events.jsonl",
      "final",
      "metrics.jsonl",
      "plan.json",
      "report.html",
      "summary.json",
      "thaw-manifest.json",
    ]);
    const [align, instruct] = [await parameters(run, "1-align"), await parameters(run, "2-instruct")];
    expect([...align.keys()].every((name) => name.startsWith("multi_modal_projector"))).toBe(true);
    for (const [name, values] of align) expect(instruct.get(name)).toEqual(values);
    expect([...instruct.keys()].some((name) => name.startsWith("language_model.model.layers.1."))).toBe(true);

    // The same by hand: the second stage alone, started from the first one's run.
    writeFileSync(
      "second.yaml",
      `model: { path: ${checkpoint}, start_from: ${join(run, "1-align")} }\ndata: { train: ./second.jsonl, ` +
        "workers: 0 }\nfreeze: { components: { language_model: { last_blocks: 1 } } }\ntraining: { max_steps: 3, " +
        "micro_batch_size: 2, learning_rate: 1e-2 }\nbackend: wasm\n",
    );
    const alone = await train("second.yaml");
    expect(await parameters(runOf(alone.out), ".")).toEqual(instruct);
    const answer = JSON.parse(
      (await thaw("caption", "image0.png", "--model", run, "--json", "--max-new-tokens", "3")).out,
    ) as { caption: string };
    expect(answer).toEqual(
      JSON.parse(
        (await thaw("caption", "image0.png", "--model", join(run, "2-instruct"), "--json", "--max-new-tokens", "3"))
          .out,
      ),
    );
    const draw = async (seed: string): Promise<string> =>
      (await thaw("caption", "image0.png", "--model", run, "--temperature", "5", "--seed", seed, "--backend", "cpu"))
        .out;
    expect(await draw("1")).toBe(await draw("1"));
    expect(await draw("2")).not.toBe(await draw("1"));
    expect((await thaw("caption", "image0.png", "--model", run, "--top-p", "2")).err).toContain("a number from 0 to 1");
  });

  it("goes on where Ctrl-C stopped it, in either stage, as if it had not been stopped", async () => {
    const whole = runOf((await train()).out);
    for (const [steps, skipped] of [
      ["2", false],
      ["3", true],
    ] as const) {
      writeFileSync("stop", steps);
      const stopped = await train();
      expect(stopped.code).toBe(130);
      const run = /--resume (.*)$/m.exec(stopped.err)![1]!;
      rmSync("stop");
      const resumed = await train("--resume", steps === "2" ? run : join(run, "2-instruct"));
      expect([resumed.code, runOf(resumed.out)]).toEqual([0, run]);
      expect(resumed.out.includes("align: finished before")).toBe(skipped);
      expect(await parameters(run, "2-instruct")).toEqual(await parameters(whole, "2-instruct"));
      const { stages } = JSON.parse(readFileSync(join(run, "stages.json"), "utf8")) as { stages: { folder: string }[] };
      expect(stages.map(({ folder: name }) => name)).toEqual(["1-align", "2-instruct"]);
    }
  });

  it("trains in two processes as in one, also where Ctrl-C stopped the second stage", async () => {
    const whole = runOf((await train()).out);
    const two = ["--processes", "2"];
    writeFileSync("stop", "3");
    const stopped = await train(...two, "--set", "training.micro_batch_size=1");
    expect([stopped.code, readdirSync("runs")]).toEqual([130, expect.arrayContaining([basename(whole)])]);
    const run = /--resume (.*)$/m.exec(stopped.err)![1]!;
    rmSync("stop");
    const resumed = await train("--resume", run, ...two);
    expect([resumed.code, resumed.err, runOf(resumed.out)]).toEqual([0, "", run]);
    expect(resumed.out).toContain("align: finished before");
    expect(readdirSync("runs")).toHaveLength(2);
    const [ours, theirs] = [await parameters(run, "2-instruct"), await parameters(whole, "2-instruct")];
    expect([...ours.keys()]).toEqual([...theirs.keys()]);
    for (const [name, values] of theirs)
      values.forEach((value, index) => expect(ours.get(name)![index]).toBeCloseTo(value, 4));
  });

  it("writes an event for each stage, and takes --set for one of them", async () => {
    const { out } = await train("--json", "--set", "stages.instruct.training.max_steps=1");
    const events = out.split("\n").map(
      (line) =>
        JSON.parse(line) as {
          event: string;
          name?: string;
          step?: number;
          stages?: { name: string; steps: number; folder: string }[];
        },
    );
    expect(events.filter(({ event }) => event === "stage").map(({ name }) => name)).toEqual(["align", "instruct"]);
    expect(events.filter(({ event }) => event === "step").map(({ step }) => step)).toEqual([1, 2, 1]);
    expect(events.at(-1)!.stages!.map(({ name, steps, folder: path }) => [name, steps, basename(path)])).toEqual([
      ["align", 2, "1-align"],
      ["instruct", 1, "2-instruct"],
    ]);
  });

  it("says what a model cannot start from", async () => {
    writeFileSync(
      "thaw.config.yaml",
      `model: { path: ${checkpoint}, start_from: ./gone }\nfreeze: { train_mm_proj_only: true }\n`,
    );
    const { code, out } = await thaw("check");
    expect(code).toBe(1);
    expect(out).toMatch(/The folder is neither a run nor a checkpoint: it holds no trained\s+parameters/);
  });
});
