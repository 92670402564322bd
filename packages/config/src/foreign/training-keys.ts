import type { ForeignBuilder } from "./builder.js";
import { readSchedule } from "./schedule-keys.js";

/** Defaults of a tool where they differ from Thaw's. */
export interface TrainingDefaults {
  readonly learningRate: number;
  readonly scheduler: string;
  readonly microBatchSize: number;
  readonly maxLength?: number;
  readonly weightDecay?: number;
  readonly beta2?: number;
  /** Samples of a step that the tool makes up by accumulation where the key is absent. */
  readonly stepSamples?: number;
}

/** Keys of Hugging Face's `TrainingArguments`, which both tools take. `maxLengthKey`: `cutoff_len` or `max_length`. */
export function readTrainingKeys(from: ForeignBuilder, maxLengthKey: string, defaults: TrainingDefaults): void {
  const number = (key: string, path: string, fallback?: number): void => {
    const value = from.number(key);
    if (value !== undefined) from.means(key, path, value);
    else if (fallback !== undefined && !from.isUnreadable(key)) from.means(key, path, fallback, fallback);
  };
  number("learning_rate", "training.learningRate", defaults.learningRate);
  const steps = from.number("max_steps");
  if (steps !== undefined && steps > 0) {
    from.means("max_steps", "training.maxSteps", steps);
    from.understood("num_train_epochs");
  } else number("num_train_epochs", "training.epochs", 3);
  number("per_device_train_batch_size", "training.microBatchSize", defaults.microBatchSize);
  const microBatch = from.number("per_device_train_batch_size") ?? defaults.microBatchSize;
  number(
    "gradient_accumulation_steps",
    "training.gradientAccumulationSteps",
    defaults.stepSamples === undefined ? undefined : Math.max(1, Math.ceil(defaults.stepSamples / microBatch)),
  );
  number(maxLengthKey, "training.maxLength", defaults.maxLength);
  readSchedule(from, defaults.scheduler, from.number("learning_rate") ?? defaults.learningRate);
  number("warmup_ratio", "training.schedule.warmupRatio");
  // Newer versions of transformers take a fraction of the run here.
  const warmup = from.number("warmup_steps");
  if (warmup !== undefined)
    from.means(
      "warmup_steps",
      warmup > 0 && warmup < 1 ? "training.schedule.warmupRatio" : "training.schedule.warmupSteps",
      warmup,
    );
  number("weight_decay", "training.optimizer.weightDecay", defaults.weightDecay);
  readOptimizer(from, defaults);
  const clip = from.number("max_grad_norm");
  if (clip !== undefined) from.means("max_grad_norm", "training.optimizer.clipNorm", clip > 0 ? clip : null);
  number("label_smoothing_factor", "training.labelSmoothing");
  readSaving(from);
  number("eval_steps", "training.evaluateEverySteps");
  number("seed", "seed", 42);
  from.carry("output_dir", "output");
  if (from.boolean("gradient_checkpointing") === true)
    from.means("gradient_checkpointing", "training.activationCheckpointing", "auto");
  else from.understood("gradient_checkpointing");
  if (from.boolean("disable_shuffling") === true) from.means("disable_shuffling", "training.shuffle", false);
  if (from.boolean("do_train") !== undefined) from.understood("do_train");
  readPrecision(from);
  from.carry("run_name", "runName");
  for (const key of ["early_stopping_steps", "early_stop_interval"]) {
    const patience = from.number(key);
    if (patience !== undefined && patience > 0) from.means(key, "training.stopWhen.patience", patience);
  }
  for (const key of ["max_samples", "val_size", "split_dataset_ratio"])
    from.drop(key, "it is said for each data set, with `limit` under data.train or data.evaluation");
  const evaluated = from.number("per_device_eval_batch_size");
  if (evaluated !== undefined) from.means("per_device_eval_batch_size", "data.evaluationBatchSize", evaluated);
  for (const key of ["deepspeed", "fsdp", "ddp_timeout", "flash_attn", "attn_impl"])
    from.drop(key, "it has no counterpart in Thaw");
  const bits = from.number("quantization_bit");
  if (bits === 4 || bits === 8) from.means("quantization_bit", "training.frozenPrecision", bits === 4 ? "nf4" : "int8");
  else from.drop("quantization_bit", "frozen weights are kept in 8 or 4 bits");
}

/**
 * `optim` of Hugging Face's trainer, by what it makes of it (`trainer_optimizer.py`): Lion takes Adam's betas,
 * Adafactor steps by the learning rate alone. Paged and fused ones compute the same.
 */
const OPTIMIZERS: readonly (readonly [names: RegExp, type: string])[] = [
  [/^(paged_)?adamw(_torch|_torch_fused|_torch_xla|_torch_npu_fused|_apex_fused|_hf|_32bit)?$/, "adamw"],
  [/^(paged_)?adamw_(bnb_)?8bit$/, "adamw_8bit"],
  [/^(paged_)?lion(_32bit|_8bit)?$/, "lion"],
  [/^adafactor$/, "adafactor"],
  [/^sgd$/, "sgd"],
  [/^muon$/, "muon"],
];
/** Keys of Adam, by optimizer that reads them. */
const ADAM_KEYS: Readonly<Record<string, readonly string[]>> = {
  adamw: ["beta1", "beta2", "epsilon"],
  adamw_8bit: ["beta1", "beta2", "epsilon"],
  muon: ["beta1", "beta2", "epsilon"],
  lion: ["beta1", "beta2"],
};
/** What `TrainingArguments` have where nothing is said. */
const ADAM_BETA2 = 0.999;

function readOptimizer(from: ForeignBuilder, defaults: TrainingDefaults): void {
  const key =
    from.boolean("use_muon") === true ? "use_muon" : from.text("optimizer") === "muon" ? "optimizer" : "optim";
  const name = key === "optim" ? (from.text("optim") ?? "adamw_torch").toLowerCase() : "muon";
  const type = OPTIMIZERS.find(([names]) => names.test(name))?.[1];
  if (type === undefined)
    from.warnDropped(
      "optim",
      `Thaw has no ${name}, so AdamW trains in its place`,
      "Choose one of Thaw's under training.optimizer.",
    );
  else if (type === "adamw") from.understood("optim");
  else from.means(key, "training.optimizer.type", type);
  from.understood("use_muon");
  if (type === "adafactor") from.means(key, "training.optimizer.scaleParameter", false);
  if (type !== undefined && type !== "adamw" && type !== "adamw_8bit" && type !== "muon")
    from.warnDropped("optim_args", "Thaw reads no options of an optimizer there", "Say them under training.optimizer.");
  const read = ADAM_KEYS[type ?? "adamw"] ?? [];
  const fallbacks = { beta1: undefined, beta2: defaults.beta2 ?? (type === "lion" ? ADAM_BETA2 : undefined) };
  for (const option of ["beta1", "beta2", "epsilon"] as const) {
    const value = from.number(`adam_${option}`);
    if (!read.includes(option)) from.understood(`adam_${option}`);
    else if (value !== undefined) from.means(`adam_${option}`, `training.optimizer.${option}`, value);
    else if (option !== "epsilon" && fallbacks[option] !== undefined && !from.isUnreadable(`adam_${option}`))
      from.means(`adam_${option}`, `training.optimizer.${option}`, fallbacks[option], fallbacks[option]);
  }
}

/** By steps, at the ends of epochs, as Thaw does unasked, or not at all. */
function readSaving(from: ForeignBuilder): void {
  const strategy = from.text("save_strategy");
  const steps = from.number("save_steps");
  if (strategy === "no") from.means("save_strategy", "training.saveEveryMinutes", null);
  else if (strategy === "epoch") from.understood("save_strategy", "save_steps");
  else if (steps !== undefined && steps > 0 && steps < 1)
    from.drop("save_steps", "a share of all steps; Thaw counts steps");
  else if (steps !== undefined) from.means("save_steps", "training.saveEverySteps", steps);
  if (strategy === "steps") from.understood("save_strategy");
  if (strategy === "no") from.understood("save_steps");
  const limit = from.number("save_total_limit");
  if (limit !== undefined && limit > 0) from.means("save_total_limit", "training.keep", limit);
}

/** bfloat16 keeps frozen matrices in half the memory, as `bf16: true` means it; float16 has no counterpart. */
function readPrecision(from: ForeignBuilder): void {
  for (const key of ["bf16", "pure_bf16"]) {
    const isOn = from.boolean(key);
    if (isOn === true) from.means(key, "training.precision", "bfloat16");
    else from.understood(key);
  }
  const dtype = from.text("torch_dtype");
  if (dtype === "bfloat16") from.means("torch_dtype", "training.precision", "bfloat16");
  else if (dtype === "float32") from.understood("torch_dtype");
  const none = "Thaw has no float16; it trains in float32, tf32 or bfloat16";
  if (dtype === "float16") from.drop("torch_dtype", none);
  if (from.boolean("fp16") === true) from.drop("fp16", none);
  else from.understood("fp16");
}

/**
 * Stages that are not supervised training (`dpo`, `kto`, `rm`, `ppo`, ...): an error, as nothing that Thaw does means
 * it. `stage` is what the tool's own word says, `key` where it stands.
 */
export function refuseStage(from: ForeignBuilder, key: string, stage: string): void {
  from.understood(key);
  from.refuse({
    rule: "config",
    severity: "error",
    message: `The stage is ${stage}, and Thaw trains by next-token loss alone.`,
    fix: "Train it with the other tool, or convert a config of supervised fine-tuning (sft).",
    settings: [from.setting(key, stage)],
  });
}
