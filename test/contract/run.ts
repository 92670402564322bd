import { backendGpu } from "@thaw/backend-gpu";
import { Trainer, type Plugin, type RunSummary, type Session, type TrainerOptions } from "@thaw/core";
import freezePolicy, { type FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import lora from "@thaw/plugin-lora";
import projectorOnly, { type ProjectorOnlyOptions } from "@thaw/plugin-projector-only";
import { withTempFolder } from "@thaw/testing";
import { openContractModel } from "./family.js";
import { contractSource } from "./source.js";

export type Backend = "cpu" | "wasm";

/** How a run is made. */
export interface ContractRunOptions {
  readonly backend?: Backend;
  readonly freeze?: FreezePolicyOptions;
  readonly savings?: ProjectorOnlyOptions;
  readonly plugins?: readonly Plugin[];
  readonly training?: TrainerOptions["training"];
  readonly trainer?: Partial<TrainerOptions>;
  readonly source?: ReturnType<typeof contractSource>;
  /** Looks at the model at the end of the run. */
  readonly after?: (session: Session) => Promise<void>;
}

/** What a run left. */
export interface ContractRun {
  readonly losses: readonly number[];
  /** Of all steps, what trained alone. */
  readonly gradients: readonly ReadonlyMap<string, Float32Array>[];
  /** All parameters at the end. */
  readonly end: ReadonlyMap<string, Float32Array>;
  readonly summary: RunSummary;
}

export const NO_SAVINGS: ProjectorOnlyOptions = {
  featureCache: "off",
  savings: { padding: false, tail: false, lastLayer: false, logits: false, prefix: false, releaseTower: false },
};

/** Both projectors train, all else is frozen. */
export const PROJECTORS: FreezePolicyOptions = {
  freezeVisionTower: true,
  freezeMultiModalProjector: false,
  freezeLanguageModel: true,
  components: { audio_projector: "train" },
};

/** A trainer of the contract model whose weights come from the given folder. */
export async function contractTrainer(folder: string, options: ContractRunOptions = {}): Promise<Trainer> {
  return new Trainer({
    model: await openContractModel(folder),
    data: { train: options.source ?? contractSource() },
    seed: 3,
    ...options.trainer,
    plugins: [
      backendGpu(options.backend ?? "cpu"),
      freezePolicy(options.freeze ?? PROJECTORS),
      lora(),
      projectorOnly(options.savings ?? {}),
      ...(options.plugins ?? []),
    ],
    training: { epochs: 2, microBatchSize: 2, shuffle: false, learningRate: 0.01, ...options.training },
    ...(options.after && {
      evaluators: [
        {
          name: "after",
          atStart: false,
          evaluate: async (session: Session) => {
            await options.after!(session);
            return {};
          },
        },
      ],
    }),
  });
}

/** Runs it to the end, or to the step after which it is stopped. */
export async function runContract(options: ContractRunOptions = {}, stopAfter?: number): Promise<ContractRun> {
  return withTempFolder(async (folder) => {
    const trainer = await contractTrainer(folder, options);
    const losses: number[] = [];
    const gradients: Map<string, Float32Array>[] = [];
    const end = new Map<string, Float32Array>();
    trainer.hooks.gradients.tap("Watch", (given) => {
      gradients.push(new Map([...given].map(([name, tensor]) => [name, tensor.dataSync<"float32">().slice()])));
      return given;
    });
    trainer.hooks.afterStep.tap("Watch", ({ loss, step }) => {
      losses.push(loss);
      if (step === stopAfter) trainer.stop("the test");
    });
    trainer.hooks.done.tapPromise("Watch", async (_, { readParameter }) => {
      for (const { name } of trainer.options.model.parameters) end.set(name, await readParameter(name));
    });
    const summary = await trainer.run();
    return { losses, gradients, end, summary };
  });
}

/** Largest difference of losses and gradients of two runs, each relative to the largest value beside it. */
export function difference(one: ContractRun, other: ContractRun): number {
  if (one.losses.length !== other.losses.length) return Infinity;
  const ofLosses = one.losses.map((loss, step) => Math.abs(loss / other.losses[step]! - 1));
  const ofGradients = one.gradients.flatMap((gradients, step) =>
    [...gradients].map(([name, values]) => {
      const others = other.gradients[step]!.get(name);
      if (others === undefined) return Infinity;
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      return values.reduce((most, value, at) => Math.max(most, Math.abs(value - others[at]!)), 0) / largest;
    }),
  );
  return Math.max(...ofLosses, ...ofGradients);
}
