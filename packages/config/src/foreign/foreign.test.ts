import { trainingSchema } from "@thaw/core";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readArguments } from "./arguments.js";
import { convertForeign } from "./convert.js";
import { readForeign } from "./read-foreign.js";
import type { ForeignConfig } from "./types.js";

const llamaFactory = (lines: string): ForeignConfig =>
  readForeign(`model_name_or_path: Qwen/Qwen2-VL-2B-Instruct\n${lines}\n`, "train.yaml")!;
const swift = (words: string): ForeignConfig =>
  readForeign(`swift sft --model Qwen/Qwen2-VL-2B-Instruct ${words}`, "train.sh")!;
/** What is said about freezing: path, meaning, the user's words. */
const freeze = ({ settings }: ForeignConfig) =>
  settings
    .filter(({ means }) => means?.path.startsWith("freeze."))
    .map(({ path, value, means }) => [
      `${path} ${JSON.stringify(value)}`,
      means!.path.slice("freeze.".length),
      means!.value,
    ]);

describe("a LLaMA-Factory config", () => {
  it("is known by its model and finetuning type, in YAML and JSON, and Thaw's own is not taken for one", () => {
    expect(llamaFactory("finetuning_type: full").format).toBe("llama-factory");
    expect(readForeign('{"model_name_or_path": "x", "finetuning_type": "full"}', "train.json")!.format).toBe(
      "llama-factory",
    );
    expect(
      readForeign("model: ./llava\nfreeze: { train_mm_proj_only: true }\ntraining: { epochs: 1 }", "thaw.yaml"),
    ).toBeUndefined();
    expect(readForeign("model_name_or_path: [", "train.yaml")).toBeUndefined();
  });

  it("keeps flags and the old shortcut as they are with full", () => {
    expect(
      freeze(
        llamaFactory(
          "finetuning_type: full\nfreeze_vision_tower: false\nfreeze_language_model: true\ntrain_mm_proj_only: true",
        ),
      ),
    ).toEqual([
      ["train_mm_proj_only true", "trainMmProjOnly", true],
      ["freeze_vision_tower false", "freezeVisionTower", false],
      ["freeze_language_model true", "freezeLanguageModel", true],
    ]);
  });

  it("gives adapters with lora to what is not frozen, none to what is, and none to the projector", () => {
    const lora = { rank: 16, alpha: 32, dropout: 0, targetModules: ["q_proj", "v_proj"] };
    const config = llamaFactory(
      "finetuning_type: lora\nlora_rank: 16\nlora_target: q_proj,v_proj\nfreeze_vision_tower: " +
        "false\nfreeze_multi_modal_projector: false",
    );
    expect(freeze(config)).toEqual([
      ['finetuning_type "lora"', "components.language_model", { lora }],
      ["freeze_vision_tower false", "components.vision_tower", { lora }],
    ]);
    expect(
      config.findings.map(({ rule, severity, settings }) => [rule, severity, settings.map(({ line }) => line)]),
    ).toEqual([["setting-for-frozen-component", "warning", [6, 2]]]);
    expect(
      freeze(llamaFactory("finetuning_type: lora\nfreeze_language_model: true\nfreeze_vision_tower: true")),
    ).toEqual([
      ["freeze_language_model true", "freezeLanguageModel", true],
      ["freeze_vision_tower true", "freezeVisionTower", true],
    ]);
  });

  it("trains the language model's last or first layers with freeze", () => {
    expect(freeze(llamaFactory("finetuning_type: freeze"))).toEqual([
      ['finetuning_type "freeze"', "components.language_model", { lastBlocks: 2 }],
    ]);
    expect(
      freeze(
        llamaFactory(
          "finetuning_type: freeze\nfreeze_trainable_layers: -3\nfreeze_extra_modules: " +
            "embed_tokens,norm\nfreeze_multi_modal_projector: false",
        ),
      ),
    ).toEqual([
      ["freeze_multi_modal_projector false", "freezeMultiModalProjector", false],
      ["freeze_trainable_layers -3", "components.language_model", { firstBlocks: 3, match: ["embed_tokens", "norm"] }],
    ]);
  });

  it("names the line of every key and speaks its own words", () => {
    const { settings, words, model } = llamaFactory("# a comment\nfinetuning_type: full\nlearning_rate: 1e-4\n");
    expect(settings.find(({ path }) => path === "learning_rate")).toMatchObject({
      value: 1e-4,
      line: 4,
      means: { path: "training.learningRate", value: 1e-4 },
    });
    expect(model).toMatchObject({ path: "model_name_or_path", line: 1 });
    expect([
      words.write(["freezeLanguageModel"]),
      words.assign(["freezeVisionTower"], false),
      words.write(["trainMmProjOnly"]),
    ]).toEqual(["freeze_language_model", "freeze_vision_tower: false", undefined]);
  });
});

describe("ms-swift arguments", () => {
  it("are read from a script with quotes, comments, continued lines and lists", () => {
    expect(
      readArguments(
        "# swift sft --no\nFOO=1 swift sft \\\n  --model 'a b' --list x \\\n \"y z\" --flag\necho --other 1\n",
      ),
    ).toEqual([
      { key: "model", value: "a b", line: 3 },
      { key: "list", value: ["x", "y z"], line: 3 },
      { key: "flag", value: "true", line: 4 },
    ]);
  });

  it("are known as a script, a list of words and a file of keys", () => {
    expect(swift("--tuner_type full").format).toBe("ms-swift");
    expect(
      readForeign('["--model", "x", "--freeze_vit", "false"]', "args.json")!.settings.find(
        ({ path }) => path === "--freeze_vit",
      ),
    ).toMatchObject({ value: "false" });
    expect(
      readForeign("model: x\ntuner_type: full\nfreeze_llm: true", "args.yaml")!.words.assign(
        ["freezeLanguageModel"],
        false,
      ),
    ).toBe("freeze_llm: false");
    expect(readForeign("echo hello", "run.sh")).toBeUndefined();
  });

  it("give adapters to every part that is not frozen, the aligner too", () => {
    const lora = { rank: 8, alpha: 32, dropout: 0.05 };
    expect(freeze(swift("--freeze_vit true --freeze_aligner false"))).toEqual([
      ['--freeze_vit "true"', "freezeVisionTower", true],
      ['--freeze_aligner "false"', "components.multi_modal_projector", { lora }],
      ['--model "Qwen/Qwen2-VL-2B-Instruct"', "components.language_model", { lora }],
    ]);
    expect(freeze(swift("--train_type lora --freeze_llm=true"))).toEqual([
      ['--freeze_llm "true"', "freezeLanguageModel", true],
    ]);
  });

  it("keep flags and rates of parts with full, and say what has no counterpart", () => {
    const config = swift(
      "--tuner_type full --freeze_aligner false --freeze_llm true --aligner_lr 1e-5 --trainable_parameters " +
        "visual.merger",
    );
    expect(freeze(config)).toEqual([
      ['--freeze_aligner "false"', "freezeMultiModalProjector", false],
      ['--freeze_llm "true"', "freezeLanguageModel", true],
    ]);
    expect(config.settings.find(({ path }) => path === "--aligner_lr")!.means).toEqual({
      path: "training.components.multi_modal_projector.learningRate",
      value: 1e-5,
    });
    expect(config.dropped.find(({ setting }) => setting.path === "--trainable_parameters")!.why).toContain("match");
  });
});

describe("a converted config", () => {
  it("means the same, with the origin of every value", () => {
    const text = convertForeign(
      llamaFactory(
        "finetuning_type: full\nfreeze_multi_modal_projector: false\nlearning_rate: 2.0e-5\nnum_train_epochs: " +
          "1\nlr_scheduler_type: cosine\nwarmup_ratio: 0.03\nper_device_train_batch_size: " +
          "4\ngradient_accumulation_steps: 8\ntemplate: qwen2_vl",
      ),
    );
    expect(parse(text)).toEqual({
      model: "Qwen/Qwen2-VL-2B-Instruct",
      freeze: { freeze_multi_modal_projector: false },
      training: {
        learning_rate: 2e-5,
        epochs: 1,
        micro_batch_size: 4,
        gradient_accumulation_steps: 8,
        max_length: 2048,
        schedule: { type: "cosine", warmup_ratio: 0.03 },
      },
      seed: 42,
    });
    expect(text).toContain("freeze_multi_modal_projector: false # freeze_multi_modal_projector, line 3");
    expect(text).toContain("max_length: 2048 # LLaMA-Factory's default");
    expect(text).toContain('# template: "qwen2_vl" (Thaw uses the checkpoint\'s own chat template)');
  });

  it("has the other tool's defaults where they are not Thaw's, and is valid", () => {
    const { training } = parse(convertForeign(swift("--tuner_type full"))) as { training: Record<string, unknown> };
    expect(training).toEqual({
      learning_rate: 1e-5,
      epochs: 3,
      micro_batch_size: 1,
      gradient_accumulation_steps: 16,
      schedule: { type: "cosine" },
      optimizer: { weight_decay: 0.1, beta2: 0.95 },
    });
    expect(
      trainingSchema.safeParse({ learningRate: training["learning_rate"], schedule: training["schedule"] }).success,
    ).toBe(true);
  });
});
