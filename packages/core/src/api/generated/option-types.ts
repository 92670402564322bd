// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

import type { ProvidedOptimizers, ProvidedSchedules } from "@thaw/contracts";

/** As users write it. */
export interface TrainingOptions {
  /**
   * Passes over the training set; fractions are allowed. This or max_steps is required to train; the first reached ends
   * the run.
   */
  epochs?: number | undefined;
  /** Optimizer updates after which the run ends. */
  maxSteps?: number | undefined;
  /** Samples that one forward and backward pass sees. Default: 8. */
  microBatchSize?: number | undefined;
  /** Micro-batches per step, weighted by their supervised tokens. Default: 1. */
  gradientAccumulationSteps?: number | undefined;
  /**
   * Tokens per sample, image tokens included; a longer sample is an error that names it. Default: the model's context.
   */
  maxLength?: number | undefined;
  /** Highest learning rate of the schedule. Default: 0.001. */
  learningRate?: number | undefined;
  /**
   * What a layer's learning rate is multiplied by for each layer of its component behind it, as BEiT and timm do: the
   * last layers learn most. Default: 1.
   */
  layerDecay?: number | undefined;
  /** Learning rate over the run's steps. */
  schedule?: ScheduleOptions | undefined;
  /** What makes updates of gradients. */
  optimizer?: OptimizerOptions | undefined;
  /** By component, such as vision_tower: what differs from the run's settings. */
  components?: Record<string, ComponentTraining> | undefined;
  /** Share of the target's probability that is spread over all tokens. Default: 0. */
  labelSmoothing?: number | undefined;
  /**
   * How numbers are multiplied. tf32: products with 10 bits of mantissa, on GPUs that can; bfloat16: matrices that stay
   * frozen are kept so, in half the memory. What trains is float32 always. Default: float32.
   */
  precision?: "float32" | "tf32" | "bfloat16" | undefined;
  /**
   * Weights of linear layers that stay frozen are kept in 8 bits (int8: each row by its largest value) or 4 (nf4:
   * blocks of 64, their scales in 8 bits, as QLoRA has them) and multiplied as precision says, on every backend.
   * Default: as precision says; what the checkpoint stores in 4 or 8 bits stays so.
   */
  frozenPrecision?: "int8" | "nf4" | undefined;
  /** Another order of samples in every epoch, from the seed. Default: true. */
  shuffle?: boolean | undefined;
  /**
   * Compute blocks again in the backward pass instead of keeping their activations; auto: where these, estimated, would
   * take more than half of the free memory, a card's where that computes. Default: auto.
   */
  activationCheckpointing?: "auto" | "on" | "off" | undefined;
  /** Ends the run early, by what an evaluation between steps measures. */
  stopWhen?: StopWhenOptions | undefined;
  /** Steps between evaluations. Default: before the first step and at the end alone. */
  evaluateEverySteps?: number | undefined;
  /** Steps between checkpoints, instead of those by time and epochs. What trained is written at the end. */
  saveEverySteps?: number | undefined;
  /**
   * Minutes between checkpoints; null: none by time or epochs. Default: 15, and one at the end of each epoch; none
   * beside save_every_steps. A run that ends early is saved in any case.
   */
  saveEveryMinutes?: number | null | undefined;
  /** Checkpoints that stay: how many, and whether the best one by a metric does. */
  keep?: number | KeepOptions | undefined;
  /**
   * Steps in a row without gradient, or with one of zeros, after which a trained parameter is named in a warning and in
   * the summary; null: never. Default: 10.
   */
  deadGradientSteps?: number | null | undefined;
}

/** A schedule of the learning rate, of Thaw's own or of a plugin's. */
export type ScheduleOptions =
  | ConstantSchedule
  | LinearSchedule
  | CosineSchedule
  | CosineWithRestartsSchedule
  | PolynomialSchedule
  | InverseSqrtSchedule
  | WarmupStableDecaySchedule
  | ProvidedSchedules[keyof ProvidedSchedules];

/** Level after the warm-up. The default. */
export interface ConstantSchedule {
  /** Level after the warm-up. The default. */
  type?: "constant" | undefined;
  /** Steps in which the rate rises from zero; wins over warmup_ratio. */
  warmupSteps?: number | undefined;
  /** The same as a share of all steps. Default: 0. */
  warmupRatio?: number | undefined;
}

/** Straight down to zero. */
export interface LinearSchedule {
  /** Straight down to zero. */
  type: "linear";
  /** Steps in which the rate rises from zero; wins over warmup_ratio. */
  warmupSteps?: number | undefined;
  /** The same as a share of all steps. Default: 0. */
  warmupRatio?: number | undefined;
}

/** Half a cosine down to zero, or to a share of the rate. */
export interface CosineSchedule {
  /** Half a cosine down to zero, or to a share of the rate. */
  type: "cosine";
  /** Waves of the cosine; half a one goes down and stays there. Default: 0.5. */
  cycles?: number | undefined;
  /** Share of the rate that it ends at. Default: 0. */
  minRatio?: number | undefined;
  /** Steps in which the rate rises from zero; wins over warmup_ratio. */
  warmupSteps?: number | undefined;
  /** The same as a share of all steps. Default: 0. */
  warmupRatio?: number | undefined;
}

/** Half a cosine down to zero, again and again from the full rate. */
export interface CosineWithRestartsSchedule {
  /** Half a cosine down to zero, again and again from the full rate. */
  type: "cosine_with_restarts";
  /** How often it goes down. Default: 1. */
  cycles?: number | undefined;
  /** Steps in which the rate rises from zero; wins over warmup_ratio. */
  warmupSteps?: number | undefined;
  /** The same as a share of all steps. Default: 0. */
  warmupRatio?: number | undefined;
}

/** A power of what is left of the run. */
export interface PolynomialSchedule {
  /** A power of what is left of the run. */
  type: "polynomial";
  /** The power; 1 is a straight line. Default: 1. */
  power?: number | undefined;
  /** Share of the rate that it ends at. Default: 0. */
  minRatio?: number | undefined;
  /** Steps in which the rate rises from zero; wins over warmup_ratio. */
  warmupSteps?: number | undefined;
  /** The same as a share of all steps. Default: 0. */
  warmupRatio?: number | undefined;
}

/** Falls by the root of the step, whatever the length of the run. */
export interface InverseSqrtSchedule {
  /** Falls by the root of the step, whatever the length of the run. */
  type: "inverse_sqrt";
  /** Steps over which it falls to 0.7. Default: those of the warm-up, or 10000 without one. */
  timescale?: number | undefined;
  /** Steps in which the rate rises from zero; wins over warmup_ratio. */
  warmupSteps?: number | undefined;
  /** The same as a share of all steps. Default: 0. */
  warmupRatio?: number | undefined;
}

/** Level until the last steps, then down (Hu et al.). */
export interface WarmupStableDecaySchedule {
  /** Level until the last steps, then down (Hu et al.). */
  type: "warmup_stable_decay";
  /** The last steps; wins over decay_ratio. */
  decaySteps?: number | undefined;
  /** The same as a share of all steps. Default: 0.1. */
  decayRatio?: number | undefined;
  /** The way down: half a cosine, straight, or one less the root. Default: cosine. */
  decay?: "cosine" | "linear" | "sqrt" | undefined;
  /** Share of the rate that it ends at. Default: 0. */
  minRatio?: number | undefined;
  /** Steps in which the rate rises from zero; wins over warmup_ratio. */
  warmupSteps?: number | undefined;
  /** The same as a share of all steps. Default: 0. */
  warmupRatio?: number | undefined;
}

/** An optimizer, of Thaw's own or of a plugin's. */
export type OptimizerOptions =
  | AdamwOptimizer
  | AdamOptimizer
  | SgdOptimizer
  | LionOptimizer
  | AdafactorOptimizer
  | MuonOptimizer
  | Adamw8bitOptimizer
  | ProvidedOptimizers[keyof ProvidedOptimizers];

/** Adam with decoupled weight decay (Loshchilov and Hutter), as torch.optim.AdamW. The default. */
export interface AdamwOptimizer {
  /** Adam with decoupled weight decay (Loshchilov and Hutter), as torch.optim.AdamW. The default. */
  type?: "adamw" | undefined;
  /** Decay of the mean of gradients. Default: 0.9. */
  beta1?: number | undefined;
  /** Decay of the mean of squared gradients. Default: 0.999. */
  beta2?: number | undefined;
  /** Added to the root of the mean square. Default: 1e-8. */
  epsilon?: number | undefined;
  /** Share of a value that goes per unit of learning rate. Default: 0. */
  weightDecay?: number | undefined;
  /** Largest L2 norm of all gradients together, scaled down to it; null: no clipping. Default: 1. */
  clipNorm?: number | null | undefined;
  /** Decay norms and biases too. Default: false. */
  decayNormsAndBiases?: boolean | undefined;
  /**
   * What several processes share out, in the words of ZeRO: 0 nothing, 1 what the optimizer keeps, 2 gradients too.
   * Default: 0.
   */
  zeroStage?: 0 | 1 | 2 | undefined;
}

/** Adam (Kingma and Ba): weight decay is added to the gradient, as in torch.optim.Adam. */
export interface AdamOptimizer {
  /** Adam (Kingma and Ba): weight decay is added to the gradient, as in torch.optim.Adam. */
  type: "adam";
  /** Decay of the mean of gradients. Default: 0.9. */
  beta1?: number | undefined;
  /** Decay of the mean of squared gradients. Default: 0.999. */
  beta2?: number | undefined;
  /** Added to the root of the mean square. Default: 1e-8. */
  epsilon?: number | undefined;
  /** Share of a value that goes per unit of learning rate. Default: 0. */
  weightDecay?: number | undefined;
  /** Largest L2 norm of all gradients together, scaled down to it; null: no clipping. Default: 1. */
  clipNorm?: number | null | undefined;
  /** Decay norms and biases too. Default: false. */
  decayNormsAndBiases?: boolean | undefined;
  /**
   * What several processes share out, in the words of ZeRO: 0 nothing, 1 what the optimizer keeps, 2 gradients too.
   * Default: 0.
   */
  zeroStage?: 0 | 1 | 2 | undefined;
}

/** Gradient descent, with momentum where it is asked for, as torch.optim.SGD. */
export interface SgdOptimizer {
  /** Gradient descent, with momentum where it is asked for, as torch.optim.SGD. */
  type: "sgd";
  /** Share of the past step that goes on; 0: none is kept. Default: 0. */
  momentum?: number | undefined;
  /** Share of a gradient that does not enter the momentum. Default: 0. */
  dampening?: number | undefined;
  /** Look ahead by the momentum; needs one, and no dampening. Default: false. */
  nesterov?: boolean | undefined;
  /** Share of a value that goes per unit of learning rate. Default: 0. */
  weightDecay?: number | undefined;
  /** Largest L2 norm of all gradients together, scaled down to it; null: no clipping. Default: 1. */
  clipNorm?: number | null | undefined;
  /** Decay norms and biases too. Default: false. */
  decayNormsAndBiases?: boolean | undefined;
  /**
   * What several processes share out, in the words of ZeRO: 0 nothing, 1 what the optimizer keeps, 2 gradients too.
   * Default: 0.
   */
  zeroStage?: 0 | 1 | 2 | undefined;
}

/**
 * The sign of the momentum alone (Chen et al.): half of AdamW's memory, and a learning rate of a third to a tenth of
 * AdamW's.
 */
export interface LionOptimizer {
  /**
   * The sign of the momentum alone (Chen et al.): half of AdamW's memory, and a learning rate of a third to a tenth of
   * AdamW's.
   */
  type: "lion";
  /** Share of the momentum, against the gradient, in the sign that is taken. Default: 0.9. */
  beta1?: number | undefined;
  /** Decay of the momentum. Default: 0.99. */
  beta2?: number | undefined;
  /** Share of a value that goes per unit of learning rate. Default: 0. */
  weightDecay?: number | undefined;
  /** Largest L2 norm of all gradients together, scaled down to it; null: no clipping. Default: 1. */
  clipNorm?: number | null | undefined;
  /** Decay norms and biases too. Default: false. */
  decayNormsAndBiases?: boolean | undefined;
  /**
   * What several processes share out, in the words of ZeRO: 0 nothing, 1 what the optimizer keeps, 2 gradients too.
   * Default: 0.
   */
  zeroStage?: 0 | 1 | 2 | undefined;
}

/** Second moments of matrices by rows and columns (Shazeer and Stern), as torch.optim.Adafactor: next to no memory. */
export interface AdafactorOptimizer {
  /**
   * Second moments of matrices by rows and columns (Shazeer and Stern), as torch.optim.Adafactor: next to no memory.
   */
  type: "adafactor";
  /** Power of the number of updates that is the share of the newest squared gradient. Default: -0.8. */
  beta2Decay?: number | undefined;
  /** Smallest root mean square of a gradient that counts. Default: what float32 can tell from 1. */
  epsilon1?: number | undefined;
  /** Smallest root mean square of a parameter that its steps are relative to. Default: 0.001. */
  epsilon2?: number | undefined;
  /** Largest root mean square of an update before the rate, scaled down to it. Default: 1. */
  clipThreshold?: number | undefined;
  /**
   * Steps relative to the size of the parameter, and by a rate of at most one over the root of the number of updates.
   * False: the learning rate alone, as transformers' `optim: adafactor`. Default: true.
   */
  scaleParameter?: boolean | undefined;
  /** Share of a value that goes per unit of learning rate. Default: 0. */
  weightDecay?: number | undefined;
  /** Largest L2 norm of all gradients together, scaled down to it; null: no clipping. Default: 1. */
  clipNorm?: number | null | undefined;
  /** Decay norms and biases too. Default: false. */
  decayNormsAndBiases?: boolean | undefined;
  /**
   * What several processes share out, in the words of ZeRO: 0 nothing, 1 what the optimizer keeps, 2 gradients too.
   * Default: 0.
   */
  zeroStage?: 0 | 1 | 2 | undefined;
}

/**
 * Orthogonal steps for the matrices of layers (Jordan et al.), as torch.optim.Muon; AdamW for vectors and tables of
 * embeddings, by beta1, beta2 and epsilon.
 */
export interface MuonOptimizer {
  /**
   * Orthogonal steps for the matrices of layers (Jordan et al.), as torch.optim.Muon; AdamW for vectors and tables of
   * embeddings, by beta1, beta2 and epsilon.
   */
  type: "muon";
  /** Decay of the mean of gradients of a matrix. Default: 0.95. */
  momentum?: number | undefined;
  /** Look ahead by the momentum. Default: true. */
  nesterov?: boolean | undefined;
  /** Of Newton and Schulz, which make a step orthogonal. Default: 5. */
  iterations?: number | undefined;
  /**
   * Of a matrix's step at a learning rate. adamw: as large as AdamW's, so that one rate fits both (match_rms_adamw);
   * original: Keller Jordan's; spectral: Bernstein's. Default: adamw.
   */
  size?: "adamw" | "original" | "spectral" | undefined;
  /** Decay of the mean of gradients. Default: 0.9. */
  beta1?: number | undefined;
  /** Decay of the mean of squared gradients. Default: 0.999. */
  beta2?: number | undefined;
  /** Added to the root of the mean square. Default: 1e-8. */
  epsilon?: number | undefined;
  /** Share of a value that goes per unit of learning rate. Default: 0. */
  weightDecay?: number | undefined;
  /** Largest L2 norm of all gradients together, scaled down to it; null: no clipping. Default: 1. */
  clipNorm?: number | null | undefined;
  /** Decay norms and biases too. Default: false. */
  decayNormsAndBiases?: boolean | undefined;
  /**
   * What several processes share out, in the words of ZeRO: 0 nothing, 1 what the optimizer keeps, 2 gradients too.
   * Default: 0.
   */
  zeroStage?: 0 | 1 | 2 | undefined;
}

/**
 * AdamW whose two moments take 8 bits each, with a scale per 256 values (Dettmers et al.): a third of their memory.
 * Vectors, small matrices and tables of embeddings keep float32.
 */
export interface Adamw8bitOptimizer {
  /**
   * AdamW whose two moments take 8 bits each, with a scale per 256 values (Dettmers et al.): a third of their memory.
   * Vectors, small matrices and tables of embeddings keep float32.
   */
  type: "adamw_8bit";
  /** Decay of the mean of gradients. Default: 0.9. */
  beta1?: number | undefined;
  /** Decay of the mean of squared gradients. Default: 0.999. */
  beta2?: number | undefined;
  /** Added to the root of the mean square. Default: 1e-8. */
  epsilon?: number | undefined;
  /** Share of a value that goes per unit of learning rate. Default: 0. */
  weightDecay?: number | undefined;
  /** Largest L2 norm of all gradients together, scaled down to it; null: no clipping. Default: 1. */
  clipNorm?: number | null | undefined;
  /** Decay norms and biases too. Default: false. */
  decayNormsAndBiases?: boolean | undefined;
  /**
   * What several processes share out, in the words of ZeRO: 0 nothing, 1 what the optimizer keeps, 2 gradients too.
   * Default: 0.
   */
  zeroStage?: 0 | 1 | 2 | undefined;
}

/** By component, such as vision_tower: what differs from the run's settings. */
export interface ComponentTraining {
  /** The component's own learning rate. */
  learningRate?: number | undefined;
  /** The component's own weight decay. */
  weightDecay?: number | undefined;
  /** The component's own decay of rates from layer to layer. */
  layerDecay?: number | undefined;
  /** The component's own schedule. */
  schedule?: ScheduleOptions | undefined;
  /** Largest L2 norm of the component's gradients, clipped apart from the others; null: no clipping. */
  clipNorm?: number | null | undefined;
}

/** Ends the run early, by what an evaluation between steps measures. */
export interface StopWhenOptions {
  /** Name of the evaluation as in metrics.jsonl. Default: the first that measures the metric. */
  evaluation?: string | undefined;
  /** What is compared. Default: loss. */
  metric?: string | undefined;
  /** Ends the run once the metric is below this. */
  below?: number | undefined;
  /** Ends the run once the metric is above this. */
  above?: number | undefined;
  /** Ends the run after so many evaluations in a row without a better value. */
  patience?: number | undefined;
}

/** Also save a checkpoint whenever this metric is better than ever, and keep the best one. */
export interface KeepOptionsBest {
  /** Name of the evaluation as in metrics.jsonl. Default: the first that measures the metric. */
  evaluation?: string | undefined;
  /** What is compared, such as loss or token_f1. */
  metric: string;
}

/** Checkpoints that stay: how many, and whether the best one by a metric does. */
export interface KeepOptions {
  /**
   * Checkpoints that stay: older ones are removed once a newer one is whole. Default: 2, or all beside
   * save_every_steps.
   */
  last?: number | undefined;
  /** Also save a checkpoint whenever this metric is better than ever, and keep the best one. */
  best?: string | KeepOptionsBest | undefined;
}
