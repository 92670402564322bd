import { ForeignBuilder, readList } from "./builder.js";
import { readTrainingKeys, refuseStage } from "./training-keys.js";
import type { ForeignConfig, ForeignEntry, ForeignWords } from "./types.js";

/** The flags, by their canonical names. They have the same words and defaults in both tools. */
const FLAGS: Readonly<Record<string, string>> = {
  freezeVisionTower: "freeze_vision_tower",
  freezeMultiModalProjector: "freeze_multi_modal_projector",
  freezeLanguageModel: "freeze_language_model",
};

type Prefix = "--" | "";

/** A key with a value as the user writes it, in a file or on a command line. */
function assignment(prefix: Prefix, key: string, value: unknown): string {
  return `${prefix}${key}${prefix === "" ? ":" : ""} ${String(value)}`;
}

function wordsFor(prefix: Prefix): ForeignWords {
  const key = (path: readonly string[]) => (path.length === 1 ? FLAGS[path[0]!] : undefined);
  return {
    write: (path) => (key(path) === undefined ? undefined : prefix + key(path)!),
    assign: (path, value) => (key(path) === undefined ? undefined : assignment(prefix, key(path)!, value)),
  };
}

/** True for a mapping that is a LLaMA-Factory config. */
export function isLlamaFactory(keys: ReadonlySet<string>): boolean {
  return keys.has("model_name_or_path") && keys.has("finetuning_type");
}

/**
 * Reads a LLaMA-Factory config and keeps its meaning (`src/llamafactory/model/adapter.py`, `hparams/finetuning_args.py`
 * at commit ff6d4d12): `full` takes the flags as they are; with `lora` an unfrozen tower or language model gets an
 * adapter, a frozen one none, the projector none; `freeze` trains some of the language model's layers.
 * `train_mm_proj_only` (older versions) is the shortcut. `prefix`: `--` for a command line, nothing for a file of keys.
 */
export function readLlamaFactory(entries: readonly ForeignEntry[], file: string, prefix: Prefix): ForeignConfig {
  const from = new ForeignBuilder(entries, file, prefix);
  const type = from.text("finetuning_type") ?? "lora";
  from.understood("finetuning_type", "model_name_or_path");
  const stage = from.text("stage") ?? "sft";
  if (stage === "sft" || stage === "pt") from.understood("stage");
  else refuseStage(from, "stage", stage);
  if (from.value("train_mm_proj_only") !== undefined)
    from.means("train_mm_proj_only", "freeze.trainMmProjOnly", from.boolean("train_mm_proj_only"));
  if (type === "lora" || type === "oft") readAdapters(from, type, prefix);
  else {
    for (const [path, key] of Object.entries(FLAGS)) {
      const value = from.boolean(key);
      const isPartial = type === "freeze" && key === "freeze_language_model" && value === false;
      if (value === undefined || isPartial) from.understood(key);
      else if (type === "freeze" && key === "freeze_vision_tower" && !value) towerUnderFreeze(from, prefix);
      else from.means(key, `freeze.${path}`, value);
    }
    if (type === "freeze" && from.boolean("freeze_language_model") !== true) readLayers(from);
  }
  readTrainingKeys(from, "cutoff_len", { learningRate: 5e-5, scheduler: "linear", microBatchSize: 8, maxLength: 2048 });
  for (const key of ["dataset", "dataset_dir", "eval_dataset", "media_dir"])
    from.drop(key, "name the files under data");
  from.drop("template", "Thaw uses the checkpoint's own chat template");
  const done = from.done();
  const model = from.value("model_name_or_path") === undefined ? undefined : from.setting("model_name_or_path");
  return {
    format: "llama-factory",
    file,
    ...done,
    words: wordsFor(prefix),
    ...(model === undefined ? {} : { model }),
  };
}

function readAdapters(from: ForeignBuilder, type: string, prefix: Prefix): void {
  const lora = type === "lora" ? loraSettings(from) : {};
  if (from.boolean("freeze_language_model") === true)
    from.means("freeze_language_model", "freeze.freezeLanguageModel", true);
  else {
    // LoRA is the default, so that a command line may not say it.
    const key = from.value("finetuning_type") === undefined ? "model_name_or_path" : "finetuning_type";
    from.means(key, "freeze.components.language_model", { lora });
  }
  from.understood("freeze_language_model");
  const tower = from.boolean("freeze_vision_tower");
  if (tower === true) from.means("freeze_vision_tower", "freeze.freezeVisionTower", true);
  if (tower === false) from.means("freeze_vision_tower", "freeze.components.vision_tower", { lora });
  const projector = from.boolean("freeze_multi_modal_projector");
  if (projector === true) from.means("freeze_multi_modal_projector", "freeze.freezeMultiModalProjector", true);
  if (projector !== false) return;
  from.understood("freeze_multi_modal_projector");
  from.findings.push({
    rule: "setting-for-frozen-component",
    severity: "warning",
    message:
      `\`${assignment(prefix, "freeze_multi_modal_projector", false)}\` has no effect with ` +
      `\`${assignment(prefix, "finetuning_type", type)}\`: the projector gets no adapter and stays frozen.`,
    fix: `Remove it, or use \`${assignment(prefix, "finetuning_type", "full")}\` to train the projector.`,
    settings: [from.setting("freeze_multi_modal_projector"), from.setting("finetuning_type")],
  });
}

function loraSettings(from: ForeignBuilder): Readonly<Record<string, unknown>> {
  const rank = from.number("lora_rank") ?? 8;
  const targets = readList(from.value("lora_target"));
  from.understood("lora_rank", "lora_alpha", "lora_dropout", "lora_target", "use_rslora");
  from.warnDropped(
    "additional_target",
    "modules that train in full beside an adapter have no counterpart in Thaw",
    "Leave it out, or train the component in full.",
  );
  from.carry("adapter_name_or_path", "lora.adapter");
  return {
    rank,
    alpha: from.number("lora_alpha") ?? 2 * rank,
    dropout: from.number("lora_dropout") ?? 0,
    ...(from.boolean("use_rslora") === true ? { rslora: true } : {}),
    ...(targets.length === 0 || targets.includes("all") ? {} : { targetModules: targets }),
  };
}

/** `freeze_trainable_layers: n` trains the last n layers of the language model, -n the first n. */
function readLayers(from: ForeignBuilder): void {
  const count = from.number("freeze_trainable_layers") ?? 2;
  const extra = readList(from.value("freeze_extra_modules"));
  const state = {
    [count < 0 ? "firstBlocks" : "lastBlocks"]: Math.abs(count),
    ...(extra.length === 0 ? {} : { match: extra }),
  };
  // Of the keys that say it together the one that names most: what it names is what can be wrong.
  const keys = ["freeze_extra_modules", "freeze_trainable_layers", "finetuning_type"];
  const key = keys.find((name) => from.value(name) !== undefined)!;
  from.means(key, "freeze.components.language_model", count === 0 ? "frozen" : state);
  from.understood(...keys);
  const modules = readList(from.value("freeze_trainable_modules"));
  if (modules.length > 0 && !modules.includes("all"))
    from.drop("freeze_trainable_modules", "the whole of each layer is selected; write `match` patterns to select less");
  else from.understood("freeze_trainable_modules");
}

function towerUnderFreeze(from: ForeignBuilder, prefix: Prefix): void {
  from.drop(
    "freeze_vision_tower",
    "with finetuning_type: freeze the tower's layers with the language model's layer numbers would train; write " +
      "`match` patterns for the tower",
  );
  from.findings.push({
    rule: "setting-for-frozen-component",
    severity: "warning",
    message:
      `\`${assignment(prefix, "freeze_vision_tower", false)}\` with ` +
      `\`${assignment(prefix, "finetuning_type", "freeze")}\` trains only those layers of the tower whose numbers ` +
      "are the language model's last ones, often none.",
    fix: `Use \`${assignment(prefix, "finetuning_type", "full")}\` to train the tower, or remove it.`,
    settings: [from.setting("freeze_vision_tower"), from.setting("finetuning_type")],
  });
}
