import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTensor, thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
let work: WorkFolder;
let run = "";

beforeAll(async () => {
  work = enterWorkFolder("thaw-export-");
  mkdirSync("images");
  for (const image of ["image0.png", "image1.png"]) copyFileSync(join(checkpoint, image), join("images", image));
  const row = (image: string, answer: string): string =>
    JSON.stringify({
      image,
      conversations: [
        { from: "human", value: "<image>\nWhat is it?" },
        { from: "gpt", value: answer },
      ],
    });
  writeFileSync("train.jsonl", `${row("image0.png", "A red disc.")}\n${row("image1.png", "Green.")}\n`);
  writeFileSync(
    "thaw.config.yaml",
    `model: ${checkpoint}
data: { train: { type: conversations, path: ./train.jsonl, images: ./images } }
freeze:
  freeze_multi_modal_projector: false
  components:
    language_model: { lora: { rank: 2, target_modules: [q_proj] } }
training: { max_steps: 3, micro_batch_size: 2, learning_rate: 0.05, save_every_steps: 2 }
backend: wasm
output: ./runs
seed: 1
`,
  );
  const { code, err } = await thaw("train", "--quiet");
  expect([code, err.includes("error")]).toEqual([0, false]);
  run = join("runs", readdirSync("runs")[0]!);
});
afterAll(() => work.leave());

describe("thaw plan with an adapter", () => {
  it("gives the component the state adapter", async () => {
    const { components } = JSON.parse((await thaw("plan", "--json")).out) as {
      components: readonly { readonly name: string; readonly state: string }[];
    };
    expect(components.map(({ state }) => state)).toEqual(["frozen", "train", "adapter"]);
    expect((await thaw("plan", "--set", "freeze.components.language_model.lora={}")).out).toMatch(
      /language_model\s+[\d,]+\s+adapter/,
    );
  });
});

describe("thaw export", () => {
  const Q_PROJ = "language_model.model.layers.0.self_attn.q_proj.weight";
  const PROJECTOR = "multi_modal_projector.linear_1.weight";

  it("writes the whole model with trained parameters and adapters in their places", async () => {
    const { code, out } = await thaw("export", run, "merged");
    expect([code, out.trim()]).toEqual([0, join(work.path, "merged")]);
    expect(existsSync("merged/tokenizer.json")).toBe(true);
    const [file, base, trained] = [
      "merged/model.safetensors",
      join(checkpoint, "model.safetensors"),
      join(run, "final/trained.safetensors"),
    ];
    expect(await readTensor(file, PROJECTOR)).toEqual(await readTensor(trained, PROJECTOR));
    expect(await readTensor(file, Q_PROJ)).not.toEqual(await readTensor(base, Q_PROJ));
    expect(await readTensor(file, Q_PROJ.replace("q_proj", "k_proj"))).toEqual(
      await readTensor(base, Q_PROJ.replace("q_proj", "k_proj")),
    );
    expect((await thaw("export", run, "merged")).err).toContain("THAW_CHECKPOINT_EXISTS");
    const again = await thaw(
      "export",
      join(run, "checkpoints/step-2"),
      "merged",
      "--overwrite",
      "--dtype",
      "bf16",
      "--json",
    );
    expect(JSON.parse(again.out)).toEqual({ folder: join(work.path, "merged") });
    expect(JSON.parse(readFileSync("merged/config.json", "utf8"))).toMatchObject({ dtype: "bfloat16" });
  });

  it("writes the adapter of a step alone, from which another run starts", async () => {
    expect((await thaw("export-adapter", join(run, "checkpoints/step-2"), "adapter")).code).toBe(0);
    const name = "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_B.weight";
    expect(await readTensor("adapter/adapter_model.safetensors", name)).not.toEqual(
      await readTensor(join(run, "final/adapter/adapter_model.safetensors"), name),
    );
    const before = readFileSync("thaw.config.yaml", "utf8");
    writeFileSync(
      "next.yaml",
      `${before.replace("rank: 2, target_modules: [q_proj]", "").replace("./runs", "./next")}lora: ` +
        "{ adapter: ./adapter }\n",
    );
    expect((await thaw("train", "next.yaml", "--quiet")).code).toBe(0);
    expect(
      (
        await thaw(
          "caption",
          "images/image0.png",
          "--model",
          join("next", readdirSync("next")[0]!),
          "--max-new-tokens",
          "2",
        )
      ).code,
    ).toBe(0);
    const bare = await thaw("export-adapter", checkpoint, "none", "--backend", "wasm");
    expect([bare.code, bare.err.includes("THAW_LORA_NO_ADAPTERS")]).toEqual([1, true]);
  });
});
