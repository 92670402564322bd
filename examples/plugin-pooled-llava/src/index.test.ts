import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModel } from "@thaw/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../../packages/cli/src/main.js";
import { memoryTerminal } from "../../../packages/cli/src/terminal/terminal.js";
import { pooledLlavaFamily } from "./index.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const golden = join(root, "test/fixtures/goldens/llava");
let folder: string;

beforeAll(async () => {
  // Inside the repository, so that node_modules is found as it is from a user's project.
  await mkdir(join(root, ".cache"), { recursive: true });
  folder = await mkdtemp(join(root, ".cache", "pooled-llava-"));
  const empty = join(folder, "empty");
  await cp(golden, empty, { recursive: true, filter: (path) => !path.endsWith(".safetensors") });
  const config = await readFile(join(empty, "config.json"), "utf8");
  await writeFile(join(empty, "config.json"), config.replace('"llava"', '"pooled_llava"'));
  const model = await openModel(empty, { initialize: "all", seed: 1, families: [pooledLlavaFamily] });
  const values = new Map<string, Float32Array>();
  for await (const { name, values: own } of model.load(model.parameters.map(({ name: each }) => each)))
    values.set(name, own);
  await model.save(join(folder, "checkpoint"), async (name) => values.get(name)!);
  const line = { image: join(golden, "image0.png"), caption: "a red disc" };
  await writeFile(join(folder, "captions.jsonl"), `${JSON.stringify(line)}\n${JSON.stringify(line)}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function thaw(...args: readonly string[]) {
  const terminal = memoryTerminal(200);
  const code = await main(args, terminal);
  return { code, text: terminal.outText() + terminal.errText() };
}

describe("a family of a third party", () => {
  it("trains its projector alone, named by a plugin in a config, its tower's features cached and proven", async () => {
    const config = join(folder, "thaw.yaml");
    await writeFile(
      config,
      [
        "model: ./checkpoint",
        "plugins: [pooled-llava]",
        "backend: wasm",
        "freeze: { train_mm_proj_only: true }",
        "data: { train: { type: captions, path: ./captions.jsonl } }",
        "training: { max_steps: 2, micro_batch_size: 2, learning_rate: 0.01 }",
        "output: ./runs",
      ].join("\n"),
    );
    const { code, text } = await thaw("train", config);
    expect(text).toContain("proven");
    expect(code).toBe(0);
  });
});
