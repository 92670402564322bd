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
      [
        'freeze_extra_modules "embed_tokens,norm"',
        "components.language_model",
        { firstBlocks: 3, match: ["embed_tokens", "norm"] },
      ],
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

describe("LLaMA-Factory's command line", () => {
  it.each([
    ["llamafactory-cli train \\\n  --model_name_or_path x --finetuning_type full --freeze_vision_tower false\n"],
    [
      "set -e\ntorchrun --nproc_per_node 2 src/train.py --model_name_or_path x --finetuning_type full \\\n" +
        "  --freeze_vision_tower=false && echo --done 1\n",
    ],
    ['["--model_name_or_path", "x", "--finetuning_type", "full", "--freeze_vision_tower", "false"]'],
  ])("is read from %j", (text) => {
    const config = readForeign(text, text.startsWith("[") ? "args.json" : "run.sh")!;
    expect(config.format).toBe("llama-factory");
    expect(freeze(config)).toEqual([['--freeze_vision_tower "false"', "freezeVisionTower", false]]);
    expect(config.words.assign(["freezeLanguageModel"], false)).toBe("--freeze_language_model false");
  });

  it("trains an adapter where it names no type, and speaks of its own words", () => {
    const config = readForeign(
      "llamafactory-cli train --model_name_or_path x --freeze_multi_modal_projector 0",
      "a.sh",
    )!;
    expect(freeze(config)).toMatchObject([['--model_name_or_path "x"', "components.language_model", { lora: {} }]]);
    expect(config.findings[0]!.message).toContain("`--freeze_multi_modal_projector false` has no effect with");
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

describe("the optimizer", () => {
  const optimizer = (config: ForeignConfig) =>
    (parse(convertForeign(config)) as { training: { optimizer?: unknown } }).training.optimizer;

  it.each([
    ["optim: adamw_torch", undefined],
    ["optim: paged_adamw_32bit\nadam_beta2: 0.95", { beta2: 0.95 }],
    ["optim: adamw_8bit", { type: "adamw_8bit" }],
    ["optim: paged_adamw_8bit\nadam_epsilon: 1.0e-6", { type: "adamw_8bit", epsilon: 1e-6 }],
    ["optim: adafactor\nadam_beta1: 0.8", { type: "adafactor", scale_parameter: false }],
    ["optim: lion_32bit\nadam_beta1: 0.95", { type: "lion", beta1: 0.95, beta2: 0.999 }],
    ["optim: sgd", { type: "sgd" }],
    ["use_muon: true\nadam_beta1: 0.8", { type: "muon", beta1: 0.8 }],
    ["optim: muon", { type: "muon" }],
  ])("of `%s` is carried over, with the options that it reads", (lines, expected) => {
    const config = llamaFactory(`finetuning_type: full\n${lines}`);
    expect(optimizer(config)).toEqual(expected);
    expect(config.findings).toEqual([]);
  });

  it("of ms-swift is read too, and one that Thaw lacks is a warning", () => {
    expect(optimizer(swift("--tuner_type full --optim lion_32bit"))).toEqual({
      type: "lion",
      weight_decay: 0.1,
      beta2: 0.95,
    });
    expect(optimizer(swift("--tuner_type full --optimizer muon"))).toMatchObject({ type: "muon" });
    expect(llamaFactory("finetuning_type: full\noptim: galore_adamw").findings).toMatchObject([
      { severity: "warning", message: expect.stringContaining("Thaw has no galore_adamw, so AdamW trains") },
    ]);
  });
});

describe("the schedule", () => {
  const schedule = (config: ForeignConfig) =>
    (parse(convertForeign(config)) as { training: { schedule?: unknown } }).training.schedule;

  it.each([
    ["constant_with_warmup", "", { type: "constant" }],
    ["cosine", "num_cycles: 1.5", { type: "cosine", cycles: 1.5 }],
    ["cosine_with_min_lr", "min_lr_rate: 0.1", { type: "cosine", min_ratio: 0.1 }],
    ["cosine_with_min_lr", "min_lr: 1.0e-6", { type: "cosine", min_ratio: 0.01 }],
    ["cosine_with_restarts", "num_cycles: 3", { type: "cosine_with_restarts", cycles: 3 }],
    ["polynomial", "power: 2, lr_end: 1.0e-5", { type: "polynomial", power: 2, min_ratio: 0.1 }],
    ["polynomial", "", { type: "polynomial", min_ratio: 1e-3 }],
    ["inverse_sqrt", "timescale: 100", { type: "inverse_sqrt", timescale: 100 }],
    [
      "warmup_stable_decay",
      "num_decay_steps: 10, decay_type: 1-sqrt, min_lr_ratio: 0.2",
      { type: "warmup_stable_decay", decay_steps: 10, decay: "sqrt", min_ratio: 0.2 },
    ],
  ])("%s { %s } is carried over, and is one that trains", (type, kwargs, expected) => {
    const config = llamaFactory(
      `finetuning_type: full\nlearning_rate: 1.0e-4\nlr_scheduler_type: ${type}\nlr_scheduler_kwargs: { ${kwargs} }`,
    );
    const found = schedule(config) as Record<string, unknown>;
    expect(Object.keys(found)).toEqual(expect.arrayContaining(Object.keys(expected)));
    for (const [key, value] of Object.entries(expected))
      if (typeof value === "number") expect(found[key]).toBeCloseTo(value, 9);
      else expect(found[key]).toBe(value);
    expect(config.findings).toEqual([]);
    const options = Object.entries(found).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]);
    expect(trainingSchema.safeParse({ schedule: Object.fromEntries(options) }).error?.issues).toBeUndefined();
  });

  it("says what it has no counterpart for, in arguments too", () => {
    expect(
      schedule(
        swift(`--tuner_type full --lr_scheduler_type cosine_with_min_lr --lr_scheduler_kwargs '{"min_lr_rate": 0.2}'`),
      ),
    ).toMatchObject({ type: "cosine", min_ratio: 0.2 });
    expect(
      swift(`--tuner_type full --lr_scheduler_type cosine --lr_scheduler_kwargs '{"wave": 1}'`).findings,
    ).toMatchObject([{ severity: "warning", message: expect.stringContaining("no counterpart of wave") }]);
    expect(swift("--tuner_type full --lr_scheduler_type greedy").findings).toMatchObject([
      { message: expect.stringContaining("Thaw has no greedy") },
    ]);
  });
});

describe("nothing is made up", () => {
  const meanings = ({ settings }: ForeignConfig) =>
    Object.fromEntries(settings.flatMap(({ means, line }) => (means && line ? [[means.path, means.value]] : [])));

  it.each([
    ["a shell variable", "--learning_rate $LR", "training.learningRate", "$LR"],
    ["a text", "--gradient_accumulation_steps 2x", "training.gradientAccumulationSteps", "2x"],
    ["a command", "--gradient_accumulation_steps $(expr 16 / $NP)", "training.gradientAccumulationSteps", "$(expr"],
    ["a quoted command", '--seed "$(date +%s)"', "seed", "$(date"],
    ["a rate of a part", "--aligner_lr fast", "training.components.multi_modal_projector.learningRate", "fast"],
    ["a flag", "--freeze_llm maybe", "freeze.freezeLanguageModel", "maybe"],
  ])("of %s", (_, words, path, shown) => {
    const config = swift(`--tuner_type full ${words}`);
    expect(config.settings.filter(({ means }) => means?.path === path)).toEqual([]);
    expect(config.findings).toEqual([
      expect.objectContaining({ severity: "error", message: expect.stringContaining(shown) }),
    ]);
    expect(config.findings[0]!.settings[0]).toMatchObject({ path: words.split(" ")[0], line: 1 });
  });

  it("of a number that is none in YAML", () => {
    const config = llamaFactory("finetuning_type: full\nlearning_rate: fast\nper_device_train_batch_size: 1k");
    expect(meanings(config)).not.toHaveProperty(["training.learningRate"]);
    expect(config.findings.map(({ message }) => message)).toEqual([
      "`learning_rate` is `fast`, which is not a number.",
      "`per_device_train_batch_size` is `1k`, which is not a number.",
    ]);
    expect(convertForeign(config)).not.toContain("line 3");
  });

  it("but what the script itself sets is filled in, as its shell would", () => {
    const script = [
      "export LR=2e-5 NP=4",
      "BATCH=2",
      "NP=8 swift sft --model m --tuner_type full --learning_rate ${LR} --per_device_train_batch_size $BATCH \\",
      "  --gradient_accumulation_steps $(expr 32 / $NP) --max_steps $((NP * 10)) \\",
      "  --output_dir 'a$LR' --run_name \"r$NP\"",
    ].join("\n");
    const config = readForeign(script, "train.sh")!;
    expect(config.findings).toEqual([]);
    expect(meanings(config)).toMatchObject({
      "training.learningRate": 2e-5,
      "training.microBatchSize": 2,
      "training.gradientAccumulationSteps": 8,
      "training.maxSteps": 40,
      output: "a$LR",
      runName: "r4",
    });
  });
});

describe("what Thaw does not do", () => {
  it.each([
    ["dpo", llamaFactory("finetuning_type: full\nstage: dpo\npref_beta: 0.1")],
    ["kto", llamaFactory("finetuning_type: lora\nstage: kto")],
    ["grpo", readForeign("swift rlhf --rlhf_type grpo --model m --tuner_type full", "a.sh")!],
    ["dpo", readForeign("swift rlhf --model m --tuner_type full", "a.sh")!],
  ])("is refused: %s", (stage, config) => {
    expect(config.isRefused).toBe(true);
    expect(config.findings).toEqual([
      expect.objectContaining({ severity: "error", message: expect.stringContaining(`The stage is ${stage}`) }),
    ]);
  });

  it.each([
    ["--trainable_parameters_regex", swift("--tuner_type full --trainable_parameters_regex '.*norm.*'")],
    ["--freeze_parameters_ratio", swift("--tuner_type full --freeze_parameters_ratio 0.2")],
    ["freez_vision_tower", llamaFactory("finetuning_type: full\nfreez_vision_tower: true")],
    ["additional_target", llamaFactory("finetuning_type: lora\nadditional_target: embed_tokens")],
    ["--lr_scheduler_type", swift("--tuner_type full --lr_scheduler_type greedy")],
  ])("is a warning where it changes what trains, or how: %s", (key, config) => {
    expect(config.findings).toEqual([
      expect.objectContaining({ severity: "warning", message: expect.stringContaining(`\`${key}\``) }),
    ]);
    expect(config.dropped.map(({ setting }) => setting.path)).toContain(key);
  });
});

describe("what Thaw has is carried over", () => {
  it("precision, rank-stabilised adapters, run name, patience, evaluation batches and an adapter to start from", () => {
    const config = llamaFactory(
      "finetuning_type: lora\nuse_rslora: true\nadapter_name_or_path: ./adapter\nbf16: true\nrun_name: first\n" +
        "early_stopping_steps: 3\nper_device_eval_batch_size: 16",
    );
    expect(parse(convertForeign(config, (path, setting) => `${setting}:${path}`))).toMatchObject({
      model: "model:Qwen/Qwen2-VL-2B-Instruct",
      run_name: "first",
      lora: { adapter: "lora.adapter:./adapter" },
      training: { precision: "bfloat16", stop_when: { patience: 3 } },
      data: { evaluation_batch_size: 16 },
      freeze: { components: { language_model: { lora: { rslora: true } } } },
    });
  });
});

it.each(["dataset: *x", "dataset: &x [*x]"])("aliases that lead nowhere are not another tool's config: %s", (line) => {
  expect(readForeign(`model_name_or_path: a\nfinetuning_type: full\n${line}\n`, "x.yaml")).toBeUndefined();
});
