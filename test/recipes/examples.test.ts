import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../packages/cli/src/main.js";
import { memoryTerminal } from "../../packages/cli/src/terminal/terminal.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = join(root, "examples");
let output: string;
beforeAll(async () => {
  output = await mkdtemp(join(tmpdir(), "thaw-examples-"));
});
afterAll(() => rm(output, { recursive: true, force: true }));

async function thaw(...args: readonly string[]) {
  const terminal = memoryTerminal(200);
  return { code: await main(args, terminal), text: terminal.outText() + terminal.errText() };
}

const load = async <Module>(path: string): Promise<Module> =>
  (await import(pathToFileURL(join(examples, path)).href)) as Module;

describe("every example", async () => {
  const folders = (await readdir(examples, { withFileTypes: true })).filter((entry) => entry.isDirectory());

  it.each(folders.map(({ name }) => name))("%s has a README that says what one learns", async (name) => {
    const text = await readFile(join(examples, name, "README.md"), "utf8");
    expect(text).toMatch(/^# .+\n\nYou learn /u);
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/gu)].map((match) => match[1]!);
    expect(links.filter((link) => !existsSync(join(examples, name, link)))).toEqual([]);
  });
});

describe.each([
  ["own-pictures", "multi_modal_projector .* trainable"],
  ["lora-with-projector", "language_model .* adapter"],
  ["dataset-format", "multi_modal_projector .* trainable"],
])("examples/%s", (name, planned) => {
  it("has no conflict, looks at its data, and trains", async () => {
    const config = join(examples, name);
    const checked = await thaw("check", config, "--data");
    expect(checked).toMatchObject({ code: 0, text: expect.stringContaining("no conflicts") as string });
    const short = ["training.max_steps=2", "training.micro_batch_size=2", `output=${join(output, name)}`];
    const limited = name === "lora-with-projector" ? ["data.train.limit=4", "data.evaluation=null"] : [];
    const sets = [...short, ...limited].flatMap((text) => ["--set", text]);
    const trained = await thaw("train", config, "--quiet", "--log-level", "error", ...sets);
    expect(trained.code, trained.text).toBe(0);
    expect(trained.text).toMatch(new RegExp(planned, "u"));
    expect(trained.text).toMatch(/vision_tower .* no bit moved/u);
  });
});

describe("examples/custom-loop", () => {
  it("takes the rate with the best loss on held-out pictures", async () => {
    type Run = { readonly learningRate: number; readonly loss: number };
    const { evolve } = await load<{
      evolve(options: object, tell: (line: string) => void): Promise<{ tried: readonly Run[]; best: Run }>;
    }>("custom-loop/evolve.mjs");
    const lines: string[] = [];
    const options = { rates: [1e-6, 1e-2], trialSteps: 2, steps: 3, microBatchSize: 4, limit: 8 };
    const { tried, best } = await evolve(options, (line) => lines.push(line));
    expect(tried[1]!.loss).toBeLessThan(tried[0]!.loss);
    expect([best.learningRate, lines.length]).toEqual([1e-2, 3]);
  });
});

interface Job {
  readonly id: string;
  readonly state: "running" | "done" | "cancelled" | "failed";
  readonly step: number;
  readonly totalSteps?: number;
  readonly loss?: number;
}

describe("examples/web-server", () => {
  it("trains two jobs at a time, says how far each is, and cancels one", async () => {
    const { jobServer } = await load<{
      jobServer(): { server: Server; close(): Promise<void> };
    }>("web-server/server.mjs");
    const { server, close } = jobServer();
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const ask = async (method: string, path: string, body?: object): Promise<{ status: number; job: Job }> => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, job: (await response.json()) as Job };
    };
    const until = async (id: string, isSo: (job: Job) => boolean): Promise<Job> => {
      for (;;) {
        const { job } = await ask("GET", `/jobs/${id}`);
        if (isSo(job) || job.state === "failed") return job;
        await setTimeout(20);
      }
    };
    try {
      const started = await Promise.all([
        ask("POST", "/jobs", { steps: 3, seed: 1 }),
        ask("POST", "/jobs", { steps: 100_000, seed: 2 }),
      ]);
      expect(started.map(({ status, job }) => [status, job.state, job.step])).toEqual([
        [202, "running", 0],
        [202, "running", 0],
      ]);
      const [first, second] = started.map(({ job }) => job.id) as [string, string];
      expect(await until(second, ({ step }) => step > 0)).toMatchObject({ state: "running", totalSteps: 100_000 });
      await ask("DELETE", `/jobs/${second}`);
      expect(await until(second, ({ state }) => state !== "running")).toMatchObject({ state: "cancelled" });
      expect(await until(first, ({ state }) => state !== "running")).toMatchObject({ state: "done", step: 3 });
      expect((await ask("GET", "/jobs/9")).status).toBe(404);
    } finally {
      await close();
    }
  });
});
