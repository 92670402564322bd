import type { Tensor } from "@tensorflow/tfjs-core";
import { nameList, type Batch, type ThawError } from "@thaw/contracts";
import { firstNotFinite } from "@thaw/safetensors";
import type { TrainerHooks } from "../api/hooks.js";
import { evaluationNotFinite, lossNotFinite } from "../errors/passes.js";
import { parameterNotFinite } from "../errors/parameters.js";
import type { Ensemble } from "../ensemble/ensemble.js";
import type { ModelRunner } from "../model/model-runner.js";

/** A step whose loss or gradient is not finite, before anything was updated with it. */
export interface SpoiltStep {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly step: number;
  readonly runner: ModelRunner;
  readonly hooks: Pick<TrainerHooks, "gradients" | "loss" | "batch" | "scope">;
  /** As they were summed, and as taps of `gradients` left them. */
  readonly sums: ReadonlyMap<string, Tensor>;
  readonly gradients: ReadonlyMap<string, Tensor>;
  readonly ensemble: Ensemble;
  /** The step's micro-batches. */
  readonly batches: readonly Batch[];
}

interface Spoilt {
  readonly name: string;
  readonly index: number;
  readonly value: number;
}

/**
 * Finds the first thing that is not finite: a parameter, what a plugin made of gradients or loss, a micro-batch. Reads
 * much, for a step that ends the run.
 */
export async function explainNotFinite(spoilt: SpoiltStep): Promise<ThawError> {
  const { loss, gradientNorm, step, ensemble } = spoilt;
  const causes = await ensemble.gather(await findCause(spoilt));
  // Among several ranks, of the one that found the samples, or else the parameter, whose gradient it may have alone
  const found = (what: string) => causes.find(({ details }) => details[what] !== undefined);
  const cause = found("samples") ?? found("parameter") ?? causes[0]!;
  return lossNotFinite(loss, gradientNorm, step, cause);
}

/** The same for an evaluation's loss. */
export async function explainEvaluation(
  runner: ModelRunner,
  batch: Batch,
  loss: number,
  step: number,
): Promise<ThawError> {
  const parameter = await spoiltParameter(runner);
  const cause = parameter === undefined ? "all that trains is finite" : parameterText(parameter);
  return evaluationNotFinite(
    loss,
    batch.samples.map(({ id }) => id),
    step,
    cause,
  );
}

/** The first trained parameter with a value that is not finite. */
async function spoiltParameter(runner: ModelRunner): Promise<Spoilt | undefined> {
  for (const name of runner.phase.trained) {
    const found = firstOf(name, await runner.store.read(name));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Before a run says that it is done. @throws THAW_CORE_PARAMETER_NOT_FINITE */
export async function checkTrained(runner: ModelRunner): Promise<void> {
  const found = await spoiltParameter(runner);
  if (found !== undefined) throw parameterNotFinite(found.name, found.index, found.value, "the last update");
}

async function findCause({
  step,
  runner,
  hooks,
  sums,
  gradients,
  batches,
}: SpoiltStep): Promise<Parameters<typeof lossNotFinite>[3]> {
  const parameter = await spoiltParameter(runner);
  if (parameter !== undefined)
    return {
      cause: parameterText(parameter),
      advice: "Lower the learning rate or the weight decay, and resume from an earlier checkpoint",
      details: { parameter: parameter.name },
    };
  const given = await firstSpoilt(sums);
  const tapped = await firstSpoilt(gradients);
  if (given === undefined && tapped !== undefined)
    return byPlugins(hooks.gradients.taps, `made the gradient of ${tapped.name} ${tapped.value}`);
  for (const batch of batches) {
    const { lossSum } = await runner.loss(batch, step);
    if (Number.isFinite(lossSum)) continue;
    const samples = batch.samples.map(({ id }) => id);
    const taps = [...hooks.batch.taps, ...hooks.scope.taps];
    const plugins = taps.length === 0 ? "" : ` (${pluginNames(taps)} had a part in it)`;
    return {
      cause: `it comes from the samples ${nameList(samples)}, while all that trains is finite${plugins}`,
      advice: "Look at these samples, lower the learning rate, or lengthen the warm-up",
      details: { samples },
    };
  }
  if (hooks.loss.taps.length > 0 && given !== undefined)
    return byPlugins(hooks.loss.taps, "made the loss or its gradient so: the model's own loss is finite");
  return {
    cause:
      given === undefined ? "each gradient is finite, their norm is not" : `the gradient of ${given.name} is the first`,
    advice: "Lower the learning rate, lengthen the warm-up, or clip to a smaller norm",
    details: given === undefined ? {} : { parameter: given.name },
  };
}

function byPlugins(taps: readonly { readonly name: string }[], what: string): Parameters<typeof lossNotFinite>[3] {
  const names = [...new Set(taps.map(({ name }) => name))];
  return {
    cause: `${names.length === 1 ? "the plugin" : "one of the plugins"} ${nameList(names)} ${what}`,
    advice: "Mend the plugin, or leave it out",
    details: names.length === 1 ? { plugin: names[0] } : { plugins: names },
  };
}

function pluginNames(taps: readonly { readonly name: string }[]): string {
  return nameList([...new Set(taps.map(({ name }) => name))]);
}

function parameterText({ name, index, value }: Spoilt): string {
  return `value ${index} of the parameter ${name} is ${value} since an earlier update`;
}

async function firstSpoilt(tensors: ReadonlyMap<string, Tensor>): Promise<Spoilt | undefined> {
  for (const [name, tensor] of tensors) {
    const found = firstOf(name, Float32Array.from(await tensor.data()));
    if (found !== undefined) return found;
  }
  return undefined;
}

function firstOf(name: string, values: Float32Array): Spoilt | undefined {
  const index = firstNotFinite(values);
  return index < 0 ? undefined : { name, index, value: values[index]! };
}
