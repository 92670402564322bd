import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import {
  type CompileFunction,
  type FunctionInput,
  type Narrowed,
  simulatedBfloat16,
  type TensorFunctions,
} from "../src/index.js";

/** Some kernels take a list, and entries may be left out. */
type Inputs = readonly Tensor[] | Readonly<Record<string, Tensor | undefined>>;

interface Call {
  readonly kernel: string;
  readonly inputs: Inputs;
  readonly attributes: object | undefined;
  readonly outputs: readonly Tensor[];
}

type RunKernel = (kernel: string, inputs: Inputs, attributes?: object) => Tensor | Tensor[];

/**
 * Functions on a backend that has none: while one is made, calls of kernels are written down, and later they are made
 * again from other inputs.
 * @returns what was made so far, by key, and how to take the functions away
 */
export function installFunctions({ isFailing = false } = {}): { readonly made: readonly string[]; remove(): void } {
  const engine = tf.engine() as unknown as { runKernel: RunKernel };
  const runKernel = engine.runKernel.bind(engine);
  const made: string[] = [];
  const cache = new Map<string, object | undefined>();
  /** Values of tensors that a trace read and that it did not make. */
  const constants = new Map<number, () => Tensor>();
  /** How every tensor of a trace was made; traces of one key may read one another's. */
  const origins = new Map<number, { readonly call: Call; readonly index: number }>();

  const bfloat16 = simulatedBfloat16();
  const compile: CompileFunction = (given, run) => {
    if (isFailing) throw new Error("Nothing compiles here.");
    engine.runKernel = (kernel, inputs, attributes) => {
      for (const input of listed(inputs)) {
        const { id, shape, dtype } = input;
        const values = origins.has(id) || constants.has(id) ? undefined : input.dataSync().slice();
        if (values !== undefined) constants.set(id, () => tf.tensor(values, shape, dtype));
      }
      const result = runKernel(kernel, inputs, attributes);
      const call: Call = { kernel, inputs, attributes, outputs: [result].flat() };
      call.outputs.forEach((output, index) => origins.set(output.id, { call, index }));
      return result;
    };
    let outputs: readonly (Tensor | Narrowed)[];
    try {
      outputs = run();
    } finally {
      engine.runKernel = runKernel;
    }
    const results = outputs.map((output) => ({
      id: ("narrow" in output ? output.narrow : output).id,
      isNarrow: "narrow" in output,
    }));
    return {
      reads: given.map(() => true),
      call: (inputs) =>
        tf.tidy(() => {
          const known = new Map(
            given.map((input, index) => {
              const value = inputs[index] as Tensor;
              return "narrow" in input
                ? [input.narrow.id, value && bfloat16.widenRows(value, input.narrow.shape)]
                : [(input as Tensor).id, value];
            }),
          );
          const valueOf = (id: number): Tensor => {
            const origin = origins.get(id);
            if (!known.has(id) && origin === undefined) known.set(id, constants.get(id)!());
            if (!known.has(id)) {
              const { call } = origin!;
              const again = Array.isArray(call.inputs)
                ? listed(call.inputs).map((input) => valueOf(input.id))
                : Object.fromEntries(
                    Object.entries(call.inputs).flatMap(([name, input]) =>
                      input === undefined ? [] : [[name, valueOf((input as Tensor).id)]],
                    ),
                  );
              [runKernel(call.kernel, again, call.attributes)]
                .flat()
                .forEach((output, index) => known.set(call.outputs[index]!.id, output));
            }
            return known.get(id)!;
          };
          return results.map(({ id, isNarrow }) => (isNarrow ? bfloat16.narrowRows(valueOf(id)) : valueOf(id).clone()));
        }),
    };
  };
  const functions: TensorFunctions = {
    get<T extends object>(
      key: string,
      inputs: readonly FunctionInput[],
      make: (make: typeof compile) => T,
    ): T | undefined {
      const full = `${key} of ${inputs.map(({ shape }) => shape.join("x")).join(" ")}`;
      if (!cache.has(full)) {
        cache.set(full, undefined);
        try {
          cache.set(full, make(compile));
          made.push(key);
        } catch (error) {
          if (!isFailing) throw error;
        }
      }
      return cache.get(full) as T | undefined;
    },
    endPass: () => undefined,
  };
  const backend = tf.backend() as { tensorFunctions?: TensorFunctions };
  backend.tensorFunctions = functions;
  return {
    made,
    remove() {
      delete backend.tensorFunctions;
    },
  };
}

function listed(inputs: Inputs): readonly Tensor[] {
  return Object.values(inputs).filter((input) => input !== undefined);
}
