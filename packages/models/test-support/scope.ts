import { linear, Tape, type MatmulStrategy, type Value } from "@thaw/autograd";
import type { LoadedBatch, Model, Scope } from "@thaw/contracts";
import { mediaOf } from "./images.js";
import { tensor, type Tensor } from "@tensorflow/tfjs-core";

/** A scope over one tape, as core's: weights by name, some of which train. */
export interface TestScope extends Scope {
  readonly tape: Tape;
  /** Names of the segments that ran, in order. */
  readonly ran: string[];
}

/** `substitutes`: known outputs of segments. */
export function testScope(
  parameters: ReadonlyMap<string, Tensor>,
  trains: (name: string) => boolean = () => false,
  substitutes: Readonly<Record<string, Tensor>> = {},
  matmul: MatmulStrategy = "flags",
): TestScope {
  const tape = new Tape({ matmul });
  const values = new Map<string, Value>();
  const ran: string[] = [];
  const parameter = (name: string): Value => {
    const known = values.get(name);
    if (known !== undefined) return known;
    const stored = parameters.get(name);
    if (stored === undefined) throw new Error(`The scope has no parameter ${name}.`);
    const value = tape.parameter(stored, trains(name));
    values.set(name, value);
    return value;
  };
  return {
    tape,
    ran,
    training: true,
    parameter,
    hasParameter: (name) => parameters.has(name),
    linear: (x, name) =>
      linear(x, parameter(`${name}.weight`), parameters.has(`${name}.bias`) ? parameter(`${name}.bias`) : undefined),
    segment: (name, inputs, run) => {
      const known = substitutes[name];
      if (known !== undefined) return tape.constant(known);
      ran.push(name);
      return tape.tidy(() => run(...inputs));
    },
    constant: (value) => tape.constant(value),
    own: (value) => tape.own(value),
  };
}

/** All weights of a model as tensors; the caller disposes them. */
export async function loadWeights(model: Model): Promise<Map<string, Tensor>> {
  const shapes = new Map([...model.parameters, ...(model.buffers ?? [])].map(({ name, shape }) => [name, shape]));
  const weights = new Map<string, Tensor>();
  for await (const { name, values } of model.load([...shapes.keys()]))
    weights.set(name, tensor(values, [...shapes.get(name)!]));
  return weights;
}

/** A batch from rows of ids; a row's padding is what `pad` counts (negative: on the left). */
export function batchOf(
  rows: readonly (readonly number[])[],
  pads: readonly number[],
  inputs: LoadedBatch["inputs"] = {},
): LoadedBatch {
  const padded = rows.map((ids, row) => {
    const padding = Array.from({ length: Math.abs(pads[row] ?? 0) }, () => -1);
    return (pads[row] ?? 0) < 0 ? [...padding, ...ids] : [...ids, ...padding];
  });
  const flat = Int32Array.from(padded.flat());
  const tokens = {
    tokenIds: flat.map((id) => Math.max(id, 0)),
    batchSize: rows.length,
    tokenCount: padded[0]!.length,
  };
  return {
    ...tokens,
    attentionMask: flat.map((id) => (id < 0 ? 0 : 1)),
    labels: new Int32Array(flat.length).fill(-100),
    media: mediaOf(tokens, inputs["pixelValues"]),
    inputs,
    segmentOutputs: {},
    samples: rows.map((_, row) => ({ id: String(row) })),
  };
}
