import { fileURLToPath } from "node:url";
import type { FrozenForm } from "@thaw/autograd";
import type { Model } from "@thaw/contracts";
import {
  API_VERSION,
  definePlugin,
  Trainer,
  type Backend,
  type Batch,
  type BatchSource,
  type Plugin,
  type Precision,
} from "@thaw/core";
import { openModel } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import projectorOnly from "@thaw/plugin-projector-only";
import { onlyBatch, openGolden } from "../parity/golden.mjs";

/** Tiny LLaVA with a batch of two samples. */
export const folder = fileURLToPath(new URL("../fixtures/goldens/llava", import.meta.url));
/** The weight whose gradient is compared; the projector's first. */
export const WATCHED = "multi_modal_projector.linear_1.weight";

/** What a run did. */
export interface Outcome {
  readonly losses: readonly number[];
  /** Of {@link WATCHED}, at the first step. */
  readonly gradient: Float32Array;
  readonly end: Float32Array;
  /** Of a frozen matrix that bfloat16 rounds, as it would be saved. */
  readonly frozen: Float32Array;
  readonly isUnchanged: boolean;
  readonly peakTensorBytes: number;
}

/** A frozen matrix of the model. */
export const FROZEN = "language_model.model.layers.0.mlp.down_proj.weight";

export const backendOf = (backend: Backend): Plugin =>
  definePlugin({
    name: "Fixed",
    apiVersion: API_VERSION,
    apply: ({ hooks }) => {
      hooks.resolveBackend.tap("Fixed", () => backend);
    },
  })();

/** Trains the projector alone. `watch` gets the trainer before it runs. */
export async function train(
  backend: Plugin,
  precision: Precision,
  options: {
    readonly steps?: number;
    readonly cache?: boolean;
    readonly frozenPrecision?: FrozenForm;
    /** Default: {@link folder}. */
    readonly model?: Model;
    readonly watch?: (trainer: Trainer) => void;
  } = {},
): Promise<Outcome> {
  const golden = await openGolden(folder);
  await golden.reader.close();
  const batch = golden.batch as Batch;
  const trainer = new Trainer({
    model: options.model ?? (await openModel(folder)),
    data: { train: onlyBatch(batch) as BatchSource },
    plugins: [
      backend,
      freezePolicy({ trainMmProjOnly: true }),
      projectorOnly({ featureCache: options.cache === true ? "on" : "off" }),
    ],
    seed: 0,
    training: {
      maxSteps: options.steps ?? 4,
      microBatchSize: batch.batchSize,
      shuffle: false,
      learningRate: 1e-3,
      precision,
      ...(options.frozenPrecision && { frozenPrecision: options.frozenPrecision }),
    },
  });
  const losses: number[] = [];
  let [gradient, end, frozen]: [Float32Array, Float32Array, Float32Array] = [
    new Float32Array(),
    new Float32Array(),
    new Float32Array(),
  ];
  trainer.hooks.gradients.tap("Watch", (gradients, { step }) => {
    if (step === 0) gradient = gradients.get(WATCHED)!.dataSync<"float32">().slice();
    return gradients;
  });
  trainer.hooks.afterStep.tap("Watch", ({ loss }) => void losses.push(loss));
  trainer.hooks.done.tapPromise("Watch", async (_, { readParameter }) => {
    end = await readParameter(WATCHED);
    frozen = await readParameter(FROZEN);
  });
  options.watch?.(trainer);
  const summary = await trainer.run();
  return {
    losses,
    gradient,
    end,
    frozen,
    isUnchanged: summary.frozenProof.every(({ isUnchanged }) => isUnchanged),
    peakTensorBytes: summary.peakTensorBytes,
  };
}

/** Norm of the difference over the norm of `wanted`. */
export function relativeError(got: Float32Array, wanted: Float32Array): number {
  const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
  return norm(got.map((value, index) => value - wanted[index]!)) / norm(wanted);
}
