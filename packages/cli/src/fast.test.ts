import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PlanningCommands } from "./fast.js";
import * as commands from "./planning/planning.js";
import { isPlainConfig } from "./config/plain-config.js";
import { memoryTerminal } from "./terminal/terminal.js";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));
const goldens = fileURLToPath(new URL("../../../test/fixtures/goldens", import.meta.url));
let folder: string;
let bundle: PlanningCommands;
const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};

beforeAll(async () => {
  execFileSync(process.execPath, ["bundle.mjs"], { cwd: packageFolder });
  bundle = (await import(join(packageFolder, "dist/planning.bundle.js"))) as PlanningCommands;
  folder = await mkdtemp(join(tmpdir(), "thaw-fast-"));
  await symlink(join(goldens, "llava"), join(folder, "checkpoint"));
  await symlink(join(goldens, "qwen2_vl"), join(folder, "qwen"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the planning bundle", () => {
  const configs: Readonly<Record<string, string>> = {
    "a plan without findings":
      "model: ./checkpoint\nfreeze: { train_mm_proj_only: true }\ndata: { train: iconify:noto }\ntraining: { " +
      "epochs: 1 }\n",
    "a type whose forward is not known":
      "model: ./qwen\nfreeze: { components: { language_model: { last_blocks: 1 } } }\n",
    "findings of every plugin":
      "model: ./checkpoint\nfreeze: { freeze_vision_tower: false, freeze_llm: true, freezeLanguageModel: false " +
      "}\nprojector_only: { feature_cache: on }\nbackend: cpu\nchecks: { rules: { nothing: off } }\n",
    "a wrong key and a missing model": "model: ./nowhere\nfreez: {}\n",
    "another tool's config": "model_name_or_path: ./checkpoint\nfinetuning_type: full\nfreeze_language_model: true\n",
  };
  it.each(Object.entries(configs))("says the same as the modules about %s", async (_, text) => {
    const path = await file("config.yaml", text);
    const run = async (from: PlanningCommands) => {
      const [check, sarif, plan] = [memoryTerminal(), memoryTerminal(), memoryTerminal()];
      const codes = [
        await from.check(path, { set: [], json: true }, check),
        await from.check(path, { set: [], sarif: true }, sarif),
      ];
      if (!text.includes("finetuning_type")) codes.push(await from.plan(path, { set: [], json: true }, plan));
      return { codes, check: check.outText(), sarif: sarif.outText(), plan: plan.outText() };
    };
    expect(await run(bundle)).toEqual(await run(commands));
  });

  it("imports nothing but Node's own modules, and brings the licences of what is in it", async () => {
    const code = await readFile(join(packageFolder, "dist/planning.bundle.js"), "utf8");
    const imported = [...code.matchAll(/^import[^;]*?from "([^"]+)"/gm)].map((match) => match[1]!);
    expect(imported.filter((name) => !name.startsWith("node:"))).toEqual([]);
    const licenses = await readFile(join(packageFolder, "dist/planning.bundle.licenses.txt"), "utf8");
    for (const name of ["@tensorflow/tfjs-core", "zod", "yaml", "tapable", "cosmiconfig"])
      expect(licenses).toMatch(new RegExp(`^${name} \\d.*\\((MIT|ISC|Apache-2.0)\\)$`, "m"));
  });
});

describe("isPlainConfig", () => {
  it("is true for data that names no code, with its bases, and for other tools' configs", async () => {
    await file("base.yaml", "freeze: { train_mm_proj_only: true }\n");
    expect(await isPlainConfig(await file("plain.yaml", "extends: ./base.yaml\nmodel: x\n"))).toBe(true);
    expect(await isPlainConfig(await file("plain.json", '{ "model": "x" }'))).toBe(true);
    expect(await isPlainConfig(await file("run.sh", "swift sft --model x --freeze_vit true\n"))).toBe(true);
  });

  it("is false for code, plugins, packages, and what cannot be read", async () => {
    expect(await isPlainConfig(await file("thaw.config.ts", "export default { model: 'x' };\n"))).toBe(false);
    expect(await isPlainConfig(await file("plugins.yaml", "model: x\nplugins: [./mine.ts]\n"))).toBe(false);
    expect(await isPlainConfig(await file("preset.yaml", 'extends: "@thaw/presets/nanovlm"\nmodel: x\n'))).toBe(false);
    await file("code-base.yaml", "plugins: [./mine.ts]\n");
    expect(await isPlainConfig(await file("deep.yaml", "extends: [./code-base.yaml]\nmodel: x\n"))).toBe(false);
    expect(await isPlainConfig(await file("broken.yaml", "model: [\n"))).toBe(false);
    expect(await isPlainConfig(join(folder, "nowhere.yaml"))).toBe(false);
  });
});
