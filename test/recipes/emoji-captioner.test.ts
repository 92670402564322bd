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
const example = join(root, "examples/emoji-captioner");

let output = "";
let stdout = "";
let runFolder = "";

/** The quickstart as `npm start` runs it, but for a few steps on a few pictures. */
beforeAll(async () => {
  output = mkdtempSync(join(tmpdir(), "thaw-quickstart-"));
  const short = [
    "training.max_steps=24",
    "training.micro_batch_size=16",
    "data.train={type: iconify, set: noto, limit: 64}",
    "data.evaluation.twemoji.limit=24",
    "data.evaluation.twemoji-unseen=null",
    `output=${output}`,
  ];
  ({ stdout } = await run(
    process.execPath,
    [
      thaw,
      "train",
      example,
      "--compare-all-trainable",
      "2",
      "--quiet",
      "--log-level",
      "warn",
      ...short.flatMap((text) => ["--set", text]),
    ],
    { env: { ...process.env, NO_COLOR: "1" } },
  ));
  runFolder = /^Run: (.+)$/.exec(stdout.trimEnd().split("\n").at(-1) ?? "")?.[1] ?? "";
});
afterAll(() => rmSync(output, { recursive: true, force: true }));

describe("the quickstart", () => {
  it("prints plan, verdict, captions beside baselines, samples, proof, savings and the run's folder", () => {
    for (const pattern of [
      /multi_modal_projector\s+33,024\s+trainable\s+trained/,
      /Checker: no conflicts\./,
      /twemoji\s+24\s+before[^\n]*\n\s+after[^\n]*\n\s+majority baseline[^\n]*\n\s+nearest neighbour baseline/,
      /Samples, spread evenly/,
      /vision_tower\s+\d+ tensors\s+sha256 [0-9a-f]{12}…\s+no bit moved/,
      /time per step: .* instead of .*, .*x faster/,
      /peak in tensors: .* instead of .*, .*x less/,
    ])
      expect(stdout).toMatch(pattern);
    expect(runFolder.startsWith(join(output, "emoji-captioner-"))).toBe(true);
  });

  it("leaves config, plan, metrics, summary, projector and a report with pictures", () => {
    expect(readdirSync(runFolder).sort()).toEqual([
      "checkpoints",
      "comparison.json",
      "config.json",
      "events.jsonl",
      "final",
      "metrics.jsonl",
      "plan.json",
      "report.html",
      "samples",
      "samples.jsonl",
      "summary.json",
      "thaw-manifest.json",
    ]);
    expect(readdirSync(join(runFolder, "final"))).toEqual(["thaw-manifest.json", "trained.safetensors"]);
    const report = readFileSync(join(runFolder, "report.html"), "utf8");
    expect(report.match(/<img src/g)).toHaveLength(24);
  });

  it("lowers the loss and makes sense of frozen parts", () => {
    const steps = readFileSync(join(runFolder, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; loss: number })
      .filter(({ event }) => event === "step");
    expect(steps).toHaveLength(24);
    expect(steps.at(-1)!.loss).toBeLessThan(0.6 * steps[0]!.loss);
  });

  it("is evaluated and captions pictures from its run folder", async () => {
    const evaluated = await run(
      process.execPath,
      [thaw, "evaluate", runFolder, "--data", "iconify:twemoji", "--limit", "8", "--quiet", "--json"],
      { cwd: example },
    );
    expect(Object.keys(JSON.parse(evaluated.stdout) as object)).toEqual([
      "tokenF1",
      "exactMatch",
      "samples",
      "baselines",
    ]);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({
      samples: 8,
      baselines: {
        majority: { tokenF1: expect.any(Number) as number },
        nearestNeighbour: { exactMatch: expect.any(Number) as number },
      },
    });
    const image = join(root, "test/fixtures/goldens/llava/image0.png");
    const captioned = await run(process.execPath, [thaw, "caption", image, "--model", runFolder, "--json"]);
    expect(JSON.parse(captioned.stdout)).toEqual({ image, caption: expect.any(String) as string });
  });
});
