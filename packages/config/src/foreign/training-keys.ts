import { readBoolean, readNumber, type ForeignBuilder } from "./builder.js";

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

const SCHEDULES: Readonly<Record<string, string>> = {
  linear: "linear",
  cosine: "cosine",
  constant: "constant",
  constant_with_warmup: "constant",
};

/** Keys of Hugging Face's `TrainingArguments`, which both tools take. `maxLengthKey`: `cutoff_len` or `max_length`. */
export function readTrainingKeys(from: ForeignBuilder, maxLengthKey: string, defaults: TrainingDefaults): void {
  const number = (key: string, path: string, fallback?: number): void => {
    const value = readNumber(from.value(key));
    if (value !== undefined) from.means(key, path, value);
    else if (fallback !== undefined) from.means(key, path, fallback, fallback);
  };
  number("learning_rate", "training.learningRate", defaults.learningRate);
  const steps = readNumber(from.value("max_steps"));
  if (steps !== undefined && steps > 0) {
    from.means("max_steps", "training.maxSteps", steps);
    from.understood("num_train_epochs");
  } else number("num_train_epochs", "training.epochs", 3);
  number("per_device_train_batch_size", "training.microBatchSize", defaults.microBatchSize);
  const microBatch = readNumber(from.value("per_device_train_batch_size")) ?? defaults.microBatchSize;
  number(
    "gradient_accumulation_steps",
    "training.gradientAccumulationSteps",
    defaults.stepSamples === undefined ? undefined : Math.max(1, Math.ceil(defaults.stepSamples / microBatch)),
  );
  number(maxLengthKey, "training.maxLength", defaults.maxLength);
  const scheduler = from.text("lr_scheduler_type") ?? defaults.scheduler;
  if (SCHEDULES[scheduler] === undefined) from.drop("lr_scheduler_type", "Thaw has constant, linear and cosine");
  else from.means("lr_scheduler_type", "training.schedule.type", SCHEDULES[scheduler], defaults.scheduler);
  number("warmup_ratio", "training.schedule.warmupRatio");
  // Newer versions of transformers take a fraction of the run here.
  const warmup = readNumber(from.value("warmup_steps"));
  if (warmup !== undefined)
    from.means(
      "warmup_steps",
      warmup > 0 && warmup < 1 ? "training.schedule.warmupRatio" : "training.schedule.warmupSteps",
      warmup,
    );
  number("weight_decay", "training.optimizer.weightDecay", defaults.weightDecay);
  number("adam_beta1", "training.optimizer.beta1");
  number("adam_beta2", "training.optimizer.beta2", defaults.beta2);
  number("adam_epsilon", "training.optimizer.epsilon");
  const clip = readNumber(from.value("max_grad_norm"));
  if (clip !== undefined) from.means("max_grad_norm", "training.optimizer.clipNorm", clip > 0 ? clip : null);
  number("label_smoothing_factor", "training.labelSmoothing");
  number("save_steps", "training.saveEverySteps");
  number("eval_steps", "training.evaluateEverySteps");
  number("seed", "seed", 42);
  from.carry("output_dir", "output");
  if (readBoolean(from.value("gradient_checkpointing")) === true)
    from.means("gradient_checkpointing", "training.activationCheckpointing", "auto");
  else from.understood("gradient_checkpointing");
  if (readBoolean(from.value("disable_shuffling")) === true) from.means("disable_shuffling", "training.shuffle", false);
  if (readBoolean(from.value("do_train")) !== undefined) from.understood("do_train");
  from.drop("optim", "Thaw has AdamW");
  for (const key of ["bf16", "fp16", "pure_bf16", "torch_dtype"]) from.drop(key, "Thaw trains in float32");
  for (const key of ["deepspeed", "fsdp", "ddp_timeout", "quantization_bit", "flash_attn", "attn_impl"])
    from.drop(key, "it has no counterpart in Thaw");
}
