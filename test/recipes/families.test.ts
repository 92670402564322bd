import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../packages/cli/src/main.js";
import { memoryTerminal } from "../../packages/cli/src/terminal/terminal.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const recipes = join(root, "examples/recipes");
const families = (await readdir(recipes, { withFileTypes: true })).filter((entry) => entry.isDirectory());
const cases = families.flatMap(({ name }) => ["projector", "lora", "two-stages"].map((recipe) => ({ name, recipe })));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-recipes-"));
  for (const { name } of families) {
    const own = join(folder, name);
    await cp(join(recipes, name), own, { recursive: true });
    const golden = join(root, "test/fixtures/goldens", name);
    await symlink(golden, join(own, "model"));
    await mkdir(join(own, "images"));
    for (const image of ["image0.png", "image1.png"]) await cp(join(golden, image), join(own, "images", image));
    const turns = (question: string): object[] => [
      { from: "human", value: question },
      { from: "gpt", value: "Green." },
    ];
    const samples = [
      { image: "image0.png", conversations: turns("<image>\nName the colour.") },
      { image: ["image0.png", "image1.png"], conversations: turns("<image>\n<image>\nWhich is red?") },
      { conversations: turns("Name the colour of the sea.") },
    ];
    await writeFile(join(own, "train.jsonl"), samples.map((sample) => JSON.stringify(sample)).join("\n"));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function thaw(...args: readonly string[]) {
  const terminal = memoryTerminal(200);
  const code = await main(args, terminal);
  return { code, text: terminal.outText() + terminal.errText() };
}

describe.each(cases)("$name, $recipe", ({ name, recipe }) => {
  it("has no conflict, and trains", async () => {
    const config = join(folder, name, `${recipe}.yaml`);
    const stages = recipe === "two-stages" ? ["stages.align.training", "stages.instruct.training"] : ["training"];
    const short = [
      `model=${join(folder, name, "model")}`,
      "backend=wasm",
      ...stages.flatMap((path) => [`${path}.max_steps=2`, `${path}.gradient_accumulation_steps=1`]),
    ].flatMap((text) => ["--set", text]);
    const checked = await thaw("check", config, ...short);
    expect(checked).toMatchObject({ code: 0, text: expect.stringContaining("no conflicts") as string });
    const trained = await thaw("train", config, "--quiet", "--log-level", "error", ...short);
    expect(trained.code, trained.text).toBe(0);
    expect(trained.text.match(/vision_tower\s+\d+ tensors\s+sha256 [0-9a-f]{12}…\s+no bit moved/gu)).toHaveLength(
      stages.length,
    );
  });
});
