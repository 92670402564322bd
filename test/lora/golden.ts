import { fileURLToPath } from "node:url";
import { backendGpu } from "@thaw/backend-gpu";
import {
  openSafetensors,
  Trainer,
  type Batch,
  type BatchSource,
  type Plugin,
  type Session,
  type TrainerOptions,
} from "@thaw/core";
import { openModel } from "@thaw/models";
import freezePolicy, { type FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import lora, { type LoraSectionOptions } from "@thaw/plugin-lora";
import { clone, keep, type Tensor } from "@tensorflow/tfjs-core";
import { onlyBatch, openGolden } from "../parity/golden.mjs";

/** The LLaVA model that everything here adapts. */
export const BASE = fileURLToPath(new URL("../fixtures/goldens/llava", import.meta.url));
/** What PEFT made of it. */
export const PEFT = fileURLToPath(new URL("../fixtures/lora/", import.meta.url));

export type Backend = "wasm" | "cpu";

/** The golden batch of the base model. */
export async function baseBatch(): Promise<Batch> {
  const golden = await openGolden(BASE);
  await golden.reader.close();
  return golden.batch;
}

/** Values of the golden tensors whose names begin with `prefix`, without it. */
export async function goldenTensors(prefix: string): Promise<ReadonlyMap<string, Float32Array>> {
  const reader = await openSafetensors(`${PEFT}golden.safetensors`);
  const names = [...reader.entries.keys()].filter((name) => name.startsWith(prefix));
  const values = new Map<string, Float32Array>();
  for (const name of names) values.set(name.slice(prefix.length), await reader.readFloat32(name));
  await reader.close();
  return values;
}

/** What one run left. */
export interface LoraRun {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  /** Of the first step, before clipping. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** Of the first micro-batch. */
  readonly logits: Float32Array;
  readonly summary: Awaited<ReturnType<Trainer["run"]>>;
  /** Every parameter that trained, at the end. */
  readonly end: ReadonlyMap<string, Float32Array>;
  readonly trainer: Trainer;
}

/** How a run is made. */
export interface LoraRunOptions {
  readonly freeze: FreezePolicyOptions;
  readonly lora?: LoraSectionOptions;
  readonly plugins?: readonly Plugin[];
  readonly trainer?: Partial<TrainerOptions>;
  readonly steps?: number;
  readonly after?: (session: Session) => Promise<void>;
}

/** A trainer on the golden batch with the golden optimizer (goldens/README.md). */
export async function loraTrainer(backend: Backend, options: LoraRunOptions): Promise<Trainer> {
  const batch = await baseBatch();
  return new Trainer({
    model: await openModel(BASE),
    data: { train: onlyBatch(batch) as BatchSource },
    seed: 3,
    ...options.trainer,
    plugins: [backendGpu(backend), freezePolicy(options.freeze), lora(options.lora ?? {}), ...(options.plugins ?? [])],
    training: {
      maxSteps: options.steps ?? 1,
      microBatchSize: batch.batchSize,
      shuffle: false,
      learningRate: 1e-3,
      schedule: { type: "cosine", warmupSteps: 1 },
      optimizer: { weightDecay: 0.01, decayNormsAndBiases: true },
      ...options.trainer?.training,
    },
    evaluators:
      options.after === undefined
        ? []
        : [
            {
              name: "after",
              atStart: false,
              evaluate: async (session) => {
                await options.after!(session);
                return {};
              },
            },
          ],
  });
}

/** Trains and keeps what can be compared. */
export async function runLora(backend: Backend, options: LoraRunOptions): Promise<LoraRun> {
  const trainer = await loraTrainer(backend, options);
  const losses: number[] = [];
  const norms: number[] = [];
  const gradients = new Map<string, Float32Array>();
  const end = new Map<string, Float32Array>();
  const kept = new Map<string, Tensor>();
  let logits = new Float32Array();
  trainer.hooks.loss.tap("Probe", (loss, { output, step }) => {
    if (step === 0 && !kept.has("logits")) kept.set("logits", keep(clone(output.logits(null).tensor)));
    return loss;
  });
  trainer.hooks.gradients.tap("Probe", (given, { step }) => {
    if (step === 0) for (const [name, tensor] of given) kept.set(name, keep(clone(tensor)));
    return given;
  });
  trainer.hooks.afterStep.tapPromise("Probe", async ({ loss, gradientNorm }) => {
    losses.push(loss);
    norms.push(gradientNorm);
    for (const [name, tensor] of kept) {
      const values = (await tensor.data<"float32">()).slice();
      if (name === "logits") logits = values;
      else gradients.set(name, values);
      tensor.dispose();
    }
    kept.clear();
  });
  trainer.hooks.done.tapPromise("Probe", async (_, { plan, readParameter }) => {
    for (const { name, trainable } of plan.phases[0]!.entries) if (trainable) end.set(name, await readParameter(name));
  });
  return { summary: await trainer.run(), losses, norms, gradients, logits, end, trainer };
}
