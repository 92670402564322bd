import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openSafetensors } from "@thaw/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const bin = fileURLToPath(new URL("../../bin/thaw.js", import.meta.url));
const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
const CONFIG = `model: ${checkpoint}
data: { train: ./train.jsonl, workers: 0 }
freeze: { train_mm_proj_only: true }
training: { micro_batch_size: 1, learning_rate: 1e-3, max_steps: 8 }
plugins: [./end.mjs]
backend: wasm
`;
/** Does what END says before the fourth step: sends itself a signal, or throws outside of every hook. */
const END = `const end = process.env.END;
export default { name: "End", apiVersion: 1, apply: ({ hooks }) => {
  hooks.beforeStep.tapPromise("End", async ({ step }) => {
    if (step !== 3 || end === undefined) return;
    if (end.startsWith("SIG")) for (const signal of end.split(" ")) process.kill(process.pid, signal);
    else throw new Error(end);
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
} };
`;
let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "thaw early-")));
  for (const name of ["image0.png", "image1.png"]) cpSync(join(checkpoint, name), join(folder, name));
  const lines = [0, 1, 1, 0].map((index) => JSON.stringify({ image: `image${index}.png`, caption: "a cat" }));
  writeFileSync(join(folder, "train.jsonl"), lines.join("\n"));
  writeFileSync(join(folder, "end.mjs"), END);
  writeFileSync(join(folder, "thaw.config.yaml"), CONFIG);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly run: string;
}

async function thaw(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, [bin, "train", "--quiet", ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
  });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  const runs = existsSync(join(folder, "runs")) ? readdirSync(join(folder, "runs")).toSorted() : [];
  return { code, out: out.join(""), err: err.join(""), run: join(folder, "runs", runs.at(-1) ?? "") };
}

async function trained(run: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const reader = await openSafetensors(join(run, "final/trained.safetensors"));
  const values = new Map<string, readonly number[]>();
  for (const name of reader.entries.keys()) values.set(name, [...(await reader.readFloat32(name))]);
  await reader.close();
  return values;
}

/** What a run without an end gives: the same in every folder. */
let whole: ReadonlyMap<string, readonly number[]> | undefined;

/** What the printed command does, in a shell, leads to what a run without an end gives. */
async function expectGoesOn(err: string, run: string): Promise<void> {
  const command = /Go on with: npx thaw (.*)$/im.exec(err)![1]!;
  expect(command).toContain(`'${run}'`);
  await promisify(execFile)("bash", ["-c", `"${process.execPath}" "${bin}" ${command} --quiet`], { cwd: folder });
  whole ??= await trained((await thaw([])).run);
  expect(await trained(run)).toEqual(whole);
}

describe("a run that ends early", () => {
  it.each([
    ["SIGHUP", 129],
    ["SIGTERM SIGTERM", 143],
    ["SIGQUIT", 131],
  ])("by %s saves its state and says how to go on", async (signals, code) => {
    const ended = await thaw([], { END: signals });
    expect(ended).toMatchObject({ code });
    expect(ended.err).toContain("Stopped after step 4; a checkpoint is saved.");
    expect(ended.err).toContain(`Report: ${join(ended.run, "report.html")}`);
    await expectGoesOn(ended.err, ended.run);
  });

  it("by an error saves its state and says how to go on, below the error", async () => {
    const { code, err, run } = await thaw([], { END: "boom" });
    expect(code).toBe(1);
    expect(err).toMatch(/^error The plugin End failed: boom.*The state after step 3 is saved in .*step-3\. \[/m);
    expect(err).toMatch(/\[THAW_CORE_PLUGIN_FAILED\]\nOnce the cause is gone, go on with: npx thaw train --resume '/);
    await expectGoesOn(err, run);
  });

  it("before its first step leaves nothing, and says the error alone", async () => {
    const backend = ["--set", "backend={ name: native, cache_folder: ./none }"];
    const { code, err } = await thaw(backend);
    expect({ code, runs: readdirSync(join(folder, "runs")) }).toEqual({ code: 1, runs: [] });
    expect(err).toMatch(/^error The backend "native" was asked for, and it is not there: .*\[THAW_BACKEND_MISSING\]$/m);
    expect(err).not.toMatch(/WARN|is not a run/);
  });

  it("tells programs where its state is", async () => {
    const { out, err, run } = await thaw(["--json"], { END: "boom" });
    const events = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string });
    const saved = { step: 3, folder: join(run, "checkpoints/step-3") };
    const report = join(run, "report.html");
    expect(events.at(-1)).toMatchObject({ event: "error", code: "THAW_CORE_PLUGIN_FAILED", saved, report });
    expect(readFileSync(report, "utf8")).toContain("THAW_CORE_PLUGIN_FAILED");
    expect(JSON.parse(err.split("\n")[0]!)).toMatchObject({ msg: expect.stringContaining("Checkpoints are saved") });
  });

  it("outlives a terminal that goes away, and logs in plain lines off one", async () => {
    const child = spawn(process.execPath, [bin, "train"], { cwd: folder });
    const first = (await once(child.stderr, "data")) as [Buffer];
    expect(first[0].toString()).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: Checkpoints are saved every 15 minutes/);
    child.stdout.destroy();
    child.stderr.destroy();
    expect(await once(child, "close")).toEqual([0, null]);
    const [run] = readdirSync(join(folder, "runs"));
    expect(existsSync(join(folder, "runs", run!, "report.html"))).toBe(true);
    expect(readFileSync(join(folder, "runs", run!, "summary.json"), "utf8")).toContain("all 8 steps are done");
  });
});
