import { type Bfloat16Products, layoutOf, quantizedBytes, type QuantizedLayout } from "@thaw/autograd";
import { FLOAT32_BYTES, elementCount, nameList, type Finding, type ParameterInfo, type Setting } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import type { FrozenFormsOptions } from "../weights/frozen-forms.js";
import { packableNames } from "../weights/packable.js";
import { everTrained } from "./plan.js";

/** What decides the form in which parameters are kept. */
export type FormsContext = Pick<PlannedContext, "plan" | "parameters" | "model" | "training">;

const BFLOAT16_BYTES = 2;

/**
 * Parameters that are kept in 4 or 8 bits, and how: what no phase trains and the checkpoint stores so, and with
 * `training.frozenPrecision` the weights of linear layers that no phase trains, but not the matrix that makes logits:
 * those that transformers quantises.
 */
export function frozenLayouts(context: FormsContext): ReadonlyMap<string, QuantizedLayout> {
  const { parameters, training } = context;
  const trained = everTrained(context.plan.phases);
  return new Map(
    parameters.flatMap((parameter): (readonly [string, QuantizedLayout])[] => {
      if (trained.has(parameter.name)) return [];
      if (parameter.quantized !== undefined) return [[parameter.name, parameter.quantized]];
      return training.frozenPrecision !== undefined && isQuantizable(parameter, context)
        ? [[parameter.name, layoutOf(training.frozenPrecision, parameter.shape as [number, number])]]
        : [];
    }),
  );
}

/** The forms that a store keeps parameters in; `products` compute in bfloat16, where the run does. */
export function formsOf(context: FormsContext, products: Bfloat16Products | undefined): FrozenFormsOptions {
  const quantized = new Set(frozenLayouts(context).keys());
  const packable = new Set([...packableNames(context)].filter((name) => !quantized.has(name)));
  return {
    ...(products === undefined ? {} : { packing: { products, names: packable } }),
    quantizing: { form: context.training.frozenPrecision, names: quantized },
  };
}

/** Bytes that a parameter takes on the device, by the form in which it is kept. */
export function keptBytes(context: FormsContext): (parameter: ParameterInfo) => number {
  const layouts = frozenLayouts(context);
  const packed = context.training.precision === "bfloat16" ? packableNames(context) : new Set<string>();
  return ({ name, shape }) => {
    const layout = layouts.get(name);
    if (layout !== undefined) return quantizedBytes(layout);
    return (packed.has(name) ? BFLOAT16_BYTES : FLOAT32_BYTES) * elementCount(shape);
  };
}

/**
 * Under `quantized-and-trained`: what the checkpoint stores in 4 or 8 bits and a phase trains. Under
 * `frozen-precision-without-effect`: `training.frozenPrecision` where nothing can be brought into that form, or the
 * checkpoint has another.
 */
export function checkFrozenForms(context: FormsContext, settings: readonly Setting[]): readonly Finding[] {
  const problem = withoutEffect(context);
  const given = settings.filter(({ path }) => /^training\.frozen_?[pP]recision$/u.test(path));
  return [
    ...trainedAndQuantized(context),
    ...(problem === undefined
      ? []
      : [
          { rule: "frozen-precision-without-effect", severity: "error", settings: given, ...problem } satisfies Finding,
        ]),
  ];
}

function withoutEffect(context: FormsContext): Pick<Finding, "message" | "fix"> | undefined {
  const { frozenPrecision } = context.training;
  if (frozenPrecision === undefined) return undefined;
  const other = context.parameters.filter(
    ({ quantized, dtype }) => quantized !== undefined && dtype.toLowerCase() !== frozenPrecision,
  );
  if (other.length > 0)
    return {
      message:
        `The checkpoint stores ${other.length} matrices as ${other[0]!.dtype}, and ${frozenPrecision} would round ` +
        "them a second time.",
      fix: "Leave training.frozen_precision out: they are kept as they are stored.",
    };
  if (frozenLayouts(context).size > 0) return undefined;
  return {
    message:
      `No weight of a linear layer stays frozen for the whole run, so that ${frozenPrecision} ` +
      "has nothing to apply to.",
    fix: "Freeze a component, or leave training.frozen_precision out.",
  };
}

function trainedAndQuantized(context: FormsContext): readonly Finding[] {
  const stored = new Map(
    context.parameters.flatMap(({ name, quantized }) => (quantized === undefined ? [] : [[name, quantized] as const])),
  );
  const entries = context.plan.phases.flatMap((phase) =>
    phase.entries.filter(({ name, trainable }) => trainable && stored.has(name)),
  );
  if (entries.length === 0) return [];
  const names = [...new Set(entries.map(({ name }) => name))];
  const settings = new Map(entries.flatMap(({ reason }) => reason.settings.map((setting) => [setting.path, setting])));
  return [
    {
      rule: "quantized-and-trained",
      severity: "error",
      settings: [...settings.values()],
      message:
        `The checkpoint stores ${nameList(names)} in ${stored.get(names[0]!)!.bits} bits, ` +
        "which no update can change.",
      fix: "Freeze it and train adapters over it (lora), or take the checkpoint that it was made from.",
    },
  ];
}

function isQuantizable({ name, shape, isLinear, tiedNames = [] }: ParameterInfo, { model }: FormsContext): boolean {
  const { input, output } = model.text.embeddings ?? {};
  const isEmbedding = [name, ...tiedNames].some((alias) => alias === input || alias === output);
  return isLinear === true && shape.length === 2 && !isEmbedding;
}
