import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunSummary } from "@thaw/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTensor, thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";
import { sharedThreads } from "./launch.js";
import { ownCard, placeOf, type Environment } from "./place.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
let work: WorkFolder;

beforeAll(() => {
  work = enterWorkFolder("thaw-processes-");
  const captions = ["a cat", "a very red disc", "green", "two boats", "no"];
  for (const image of ["image0.png", "image1.png"]) cpSync(join(checkpoint, image), image);
  const row = (caption: string, index: number): string =>
    JSON.stringify({ image: `image${index % 2}.png`, caption, question: "" });
  writeFileSync("train.jsonl", captions.map(row).join("\n"));
  writeFileSync(
    "thaw.config.yaml",
    `model: ${checkpoint}
data: { train: ./train.jsonl, workers: 0 }
training: { micro_batch_size: 1, learning_rate: 0.05, max_steps: 4, save_every_steps: 2 }
freeze: { train_mm_proj_only: true }
projector_only: { feature_cache: { disk: ./cache } }
backend: wasm
output: ./runs
seed: 1
`,
  );
  writeFileSync(
    "dies.mjs",
    `export default { name: "dies", apiVersion: 1, apply({ hooks }) {
  hooks.beforeStep.tap("dies", ({ step, ensemble }) => {
    if (step === 2 && ensemble.rank === 1) process.kill(process.pid, "SIGKILL");
  });
} };\n`,
  );
});
afterAll(() => work.leave());

const runOf = (out: string): string => /^Run: (.*)$/m.exec(out)![1]!;
const evaluationsOf = (run: string): Readonly<Record<string, Readonly<Record<string, number>>>> =>
  (JSON.parse(readFileSync(join(run, "summary.json"), "utf8")) as RunSummary).evaluations;
const lossesOf = (run: string): number[] =>
  readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => (JSON.parse(line) as { readonly loss?: number }).loss ?? []);

it("two processes train and answer as one does, with gradients shared out", async () => {
  const held = "{held: {type: captions, path: ./train.jsonl, metrics: [token_f1, perplexity]}}";
  const quiet = ["--quiet", "--log-level", "error", "--set", `data.evaluation=${held}`];
  const two = await thaw("train", ...quiet, "--processes", "2", "--set", "training.optimizer.zero_stage=2");
  expect([two.code, two.err]).toEqual([0, expect.not.stringContaining("error") as string]);
  const one = await thaw("train", ...quiet, "--set", "training.micro_batch_size=2");
  const [run, whole] = [runOf(two.out), runOf(one.out)];
  lossesOf(whole).forEach((loss, index) => expect(lossesOf(run)[index]).toBeCloseTo(loss, 4));
  const name = "multi_modal_projector.linear_1.weight";
  const [ours, theirs] = await Promise.all(
    [run, whole].map((folder) => readTensor(join(folder, "final/trained.safetensors"), name)),
  );
  ours!.forEach((value, index) => expect(value).toBeCloseTo(theirs![index]!, 4));
  const [evaluations, wanted] = [run, whole].map((folder) => evaluationsOf(folder));
  expect(Object.keys(evaluations!)).toEqual(["held", "captions/held"]);
  for (const [name, metrics] of Object.entries(wanted!))
    for (const [metric, value] of Object.entries(metrics))
      expect(Math.abs(evaluations![name]![metric]! - value)).toBeLessThan(1e-3 * Math.max(1, value));
  expect(readdirSync("runs")).toHaveLength(2);
});

it("four processes of one sample train adapters with dropout as one of four does", async () => {
  const lora = "{lora: {rank: 2, dropout: 0.3}}";
  const set = {
    "freeze.train_mm_proj_only": "false",
    "freeze.components": `{multi_modal_projector: train, vision_tower: ${lora}, language_model: ${lora}}`,
    "projector_only.feature_cache": "auto",
    "training.max_steps": "3",
  };
  const quiet = ["--quiet", "--log-level", "error"];
  const flags = Object.entries(set).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const four = await thaw("train", ...quiet, ...flags, "--processes", "4");
  expect([four.code, four.err]).toEqual([0, expect.not.stringContaining("error") as string]);
  const one = await thaw("train", ...quiet, ...flags, "--set", "training.micro_batch_size=4");
  const [losses, whole] = [lossesOf(runOf(four.out)), lossesOf(runOf(one.out))];
  expect(losses).toHaveLength(3);
  whole.forEach((loss, index) => expect(losses[index]).toBeCloseTo(loss, 4));
});

it("ends all when one dies, with its rank and the last step, and leaves a checkpoint to go on from", async () => {
  const { code, err } = await thaw(
    "train",
    "--quiet",
    "--log-level",
    "error",
    "--processes",
    "2",
    "--set",
    "plugins=[./dies.mjs]",
  );
  expect(code).toBe(1);
  expect(err).toMatch(/Rank 1 is lost: its connection ended.* The last whole step is step 2\./);
  const run = /npx thaw train --resume (\S+)/.exec(err)![1]!;
  expect(existsSync(join(run, "checkpoints/step-2/state.json"))).toBe(true);
  const accumulated = ["--set", "training.gradient_accumulation_steps=2", "--set", "plugins=[]"];
  const resumed = await thaw("train", "--quiet", "--log-level", "error", "--trust", "--resume", run, ...accumulated);
  expect([resumed.code, resumed.err]).toEqual([0, ""]);
  expect(lossesOf(run)).toHaveLength(4);
});

it("are not started for what is no number", async () => {
  for (const count of ["0", "two"])
    expect(await thaw("train", "--processes", count)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--processes") as string,
    });
});

describe("the place of a process", () => {
  const cases: readonly (readonly [string, Environment, ReturnType<typeof placeOf>])[] = [
    ["alone", {}, undefined],
    ["one of one", { RANK: "0", WORLD_SIZE: "1" }, undefined],
    [
      "torchrun",
      { RANK: "3", WORLD_SIZE: "4", LOCAL_RANK: "1", MASTER_ADDR: "node0", MASTER_PORT: "29500", THAW_TOKEN: "x" },
      { rank: 3, size: 4, localRank: 1, address: "node0", port: 29_500, token: "x" },
    ],
    [
      "Open MPI",
      { OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_LOCAL_RANK: "1" },
      { rank: 1, size: 2, localRank: 1, launcher: "openmpi" },
    ],
    [
      "MPICH",
      { PMI_RANK: "1", PMI_SIZE: "2", MPI_LOCALRANKID: "0" },
      { rank: 1, size: 2, localRank: 0, launcher: "mpich" },
    ],
    [
      "srun",
      { SLURM_PROCID: "5", SLURM_NTASKS: "8", SLURM_LOCALID: "1", SLURM_STEP_ID: "0" },
      { rank: 5, size: 8, localRank: 1 },
    ],
    ["a batch script without srun", { SLURM_PROCID: "0", SLURM_NTASKS: "8" }, undefined],
  ];
  it.each(cases)("%s", (_, environment, place) => expect(placeOf(environment)).toEqual(place));

  it("is refused where variables say something else", () => {
    for (const wrong of [{ RANK: "4" }, { RANK: "x" }, { RANK: "0", MASTER_PORT: "-1" }])
      expect(() => placeOf({ WORLD_SIZE: "4", ...wrong } as Environment)).toThrowError(
        expect.objectContaining({ code: "THAW_CLI_PLACE_WRONG" }) as Error,
      );
  });

  it("gives each process of a host a card of its own, and its share of threads", () => {
    const place = { rank: 5, size: 8, localRank: 1 };
    expect([
      ownCard({}, place),
      ownCard({ CUDA_VISIBLE_DEVICES: "4, 6" }, place),
      ownCard({ CUDA_VISIBLE_DEVICES: "3" }, place),
      ownCard({}, { rank: 1, size: 2 }),
    ]).toEqual(["1", "6", undefined, undefined]);
    expect(sharedThreads(1000, { OMP_NUM_THREADS: "7" })).toEqual({
      OMP_NUM_THREADS: "7",
      TF_NUM_INTRAOP_THREADS: "1",
    });
  });
});
