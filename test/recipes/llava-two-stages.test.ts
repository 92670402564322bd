import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const thaw = join(root, "packages/cli/bin/thaw.js");
const example = join(root, "examples/llava-two-stages");

let output = "";
let stdout = "";
let runFolder = "";

/** The example, but for a few steps on a few pictures. */
beforeAll(async () => {
  output = mkdtempSync(join(tmpdir(), "thaw-two-stages-"));
  const short = [
    "stages.align.training.max_steps=16",
    "stages.align.training.micro_batch_size=16",
    "stages.align.training.evaluate_every_steps=8",
    "stages.align.data.train={type: iconify, set: noto, limit: 64}",
    "stages.align.data.evaluation.twemoji.limit=8",
    "stages.instruct.training.epochs=8",
    `output=${output}`,
  ];
  ({ stdout } = await run(
    process.execPath,
    [thaw, "train", example, "--quiet", "--log-level", "warn", ...short.flatMap((text) => ["--set", text])],
    { env: { ...process.env, NO_COLOR: "1" } },
  ));
  runFolder = /^Run: (.+)$/.exec(stdout.trimEnd().split("\n").at(-1) ?? "")?.[1] ?? "";
});
afterAll(() => rmSync(output, { recursive: true, force: true }));

const losses = (stage: string): readonly number[] =>
  readFileSync(join(runFolder, stage, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; loss: number })
    .filter(({ event }) => event === "step")
    .map(({ loss }) => loss);

describe("LLaVA in two stages", () => {
  it("takes what trains from the presets, and warns of nothing", () => {
    expect(stdout).toMatch(
      new RegExp(
        String.raw`Stage 1 of 2: align[\s\S]*multi_modal_projector\s+33,024\s+trainable[\s\S]*language_` +
          String.raw`model\s+734,080\s+frozen[\s\S]*Stage 2 of 2: instruct[\s\S]*language_model\s+734,080` +
          String.raw`\s+trainable`,
      ),
    );
    expect(stdout.match(/Checker: no conflicts\./g)).toHaveLength(2);
    expect(stdout.match(/vision_tower\s+\d+ tensors\s+sha256 [0-9a-f]{12}…\s+no bit moved/g)).toHaveLength(2);
  });

  it("lowers the loss in both stages, each in its folder", () => {
    expect(readdirSync(runFolder).sort()).toEqual(["1-align", "2-instruct", "stages.json"]);
    expect(losses("1-align")).toHaveLength(16);
    expect(losses("2-instruct")).toHaveLength(24);
    expect(losses("1-align").at(-1)).toBeLessThan(0.8 * losses("1-align")[0]!);
    expect(losses("2-instruct").at(-1)).toBeLessThan(0.5 * losses("2-instruct")[0]!);
  });

  it("answers from the whole run's folder", async () => {
    const image = join(example, "data/cactus.png");
    const { stdout: answer } = await run(process.execPath, [
      thaw,
      "caption",
      image,
      "--model",
      runFolder,
      "--prompt",
      "what is this?",
      "--json",
    ]);
    expect(JSON.parse(answer)).toEqual({ image, caption: expect.stringMatching(/\w/) as string });
  });
});
