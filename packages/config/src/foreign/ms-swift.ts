import { ForeignBuilder, readList } from "./builder.js";
import { readTrainingKeys, refuseStage } from "./training-keys.js";
import type { ForeignConfig, ForeignEntry, ForeignWords } from "./types.js";

const FLAGS: Readonly<Record<string, string>> = {
  freezeVisionTower: "freeze_vit",
  freezeMultiModalProjector: "freeze_aligner",
  freezeLanguageModel: "freeze_llm",
};
const COMPONENTS: Readonly<Record<string, string>> = {
  freeze_vit: "vision_tower",
  freeze_aligner: "multi_modal_projector",
  freeze_llm: "language_model",
};
const TUNER_KEYS = ["tuner_type", "train_type", "sft_type"];

/** Keys by which arguments in a file are known to be ms-swift's. */
export function isMsSwift(keys: ReadonlySet<string>): boolean {
  const hasModel = ["model", "model_id_or_path", "ckpt_dir"].some((key) => keys.has(key));
  return (
    hasModel &&
    [...TUNER_KEYS, ...Object.values(FLAGS), "num_train_epochs", "per_device_train_batch_size"].some((key) =>
      keys.has(key),
    )
  );
}

/**
 * Reads ms-swift's arguments and keeps their meaning (`swift/arguments/tuner_args.py`, `swift/pipelines/train/tuner.py`
 * at commit 3602360a): `full` takes the flags; with `lora` every part that is not frozen gets an adapter, the aligner
 * too, and a frozen part none. `prefix`: `--` for a command line, nothing for a file of keys.
 */
export function readMsSwift(entries: readonly ForeignEntry[], file: string, prefix: "--" | ""): ForeignConfig {
  const from = new ForeignBuilder(entries, file, prefix);
  const tunerKey = TUNER_KEYS.find((key) => from.value(key) !== undefined) ?? "tuner_type";
  const tuner = from.text(tunerKey) ?? "lora";
  from.understood(...TUNER_KEYS, "model", "model_id_or_path");
  const preferences = from.text("rlhf_type");
  if (preferences !== undefined) refuseStage(from, "rlhf_type", preferences);
  if (tuner === "full") {
    for (const [path, key] of Object.entries(FLAGS))
      if (from.value(key) !== undefined) from.means(key, `freeze.${path}`, from.boolean(key));
    readParameterLists(from);
  } else readAdapters(from, tunerKey, tuner);
  for (const [key, component] of [
    ["vit_lr", "vision_tower"],
    ["aligner_lr", "multi_modal_projector"],
  ] as const) {
    const rate = from.number(key);
    if (rate !== undefined) from.means(key, `training.components.${component}.learningRate`, rate);
  }
  readTrainingKeys(from, "max_length", {
    learningRate: tuner === "full" ? 1e-5 : 1e-4,
    scheduler: "cosine",
    microBatchSize: 1,
    weightDecay: 0.1,
    beta2: 0.95,
    stepSamples: 16,
  });
  for (const key of ["dataset", "val_dataset"]) from.drop(key, "name the files under data");
  const done = from.done();
  const modelKey = ["model", "model_id_or_path"].find((key) => from.value(key) !== undefined);
  return {
    format: "ms-swift",
    file,
    ...done,
    words: wordsFor(prefix),
    ...(modelKey === undefined ? {} : { model: from.setting(modelKey) }),
  };
}

function wordsFor(prefix: string): ForeignWords {
  const key = (path: readonly string[]) =>
    path.length === 1 && FLAGS[path[0]!] !== undefined ? prefix + FLAGS[path[0]!] : undefined;
  return {
    write: key,
    assign: (path, value) => {
      const name = key(path);
      return name === undefined ? undefined : `${name}${prefix === "" ? ":" : ""} ${String(value)}`;
    },
  };
}

function readAdapters(from: ForeignBuilder, tunerKey: string, tuner: string): void {
  const targets = readList(from.value("target_modules"));
  const lora = {
    rank: from.number("lora_rank") ?? 8,
    alpha: from.number("lora_alpha") ?? 32,
    dropout: from.number("lora_dropout") ?? 0.05,
    ...(from.boolean("use_rslora") === true ? { rslora: true } : {}),
    ...(targets.length === 0 || targets.includes("all-linear") ? {} : { targetModules: targets }),
  };
  from.understood("lora_rank", "lora_alpha", "lora_dropout", "target_modules", "use_rslora");
  from.warnDropped(
    "modules_to_save",
    "modules that train in full beside an adapter have no counterpart in Thaw",
    "Leave it out, or train the component in full.",
  );
  from.carry("adapters", "lora.adapter");
  if (tuner !== "lora" && from.value(tunerKey) !== undefined) from.drop(tunerKey, "it is read as LoRA");
  for (const [key, component] of Object.entries(COMPONENTS)) {
    const flag = from.boolean(key);
    if (flag === true) from.means(key, `freeze.${Object.keys(FLAGS).find((path) => FLAGS[path] === key)!}`, true);
    if (flag === false && component !== "language_model") from.means(key, `freeze.components.${component}`, { lora });
  }
  if (from.boolean("freeze_llm") === true) return;
  from.understood("freeze_llm");
  // The tuner's default is lora, so the language model gets an adapter also where no key says so.
  const key =
    from.value(tunerKey) !== undefined ? tunerKey : from.value("freeze_llm") !== undefined ? "freeze_llm" : "model";
  from.means(key, "freeze.components.language_model", { lora });
}

function readParameterLists(from: ForeignBuilder): void {
  for (const key of [
    "freeze_parameters",
    "freeze_parameters_regex",
    "freeze_parameters_ratio",
    "trainable_parameters",
    "trainable_parameters_regex",
  ]) {
    from.warnDropped(
      key,
      "what trains differs without it: prefixes and expressions over the whole model have no counterpart but `match`",
      "Write `components` entries with `match` patterns.",
    );
  }
}
