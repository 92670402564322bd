import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** A matrix in bfloat16, which TensorFlow.js has no type for: by the backend's number for it. */
export interface PackedInput {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: "bfloat16";
}

/** What a function can read. */
export type FunctionInput = Tensor | PackedInput;

/**
 * A tensor that functions hand on in bfloat16, while they compute with it in float32. Between calls it is a tensor of
 * float32 words of two numbers each, with half as many columns, with which nothing else may compute.
 */
export interface Narrowed {
  readonly narrow: Tensor;
}

/** Many operations as one: one call for the host, and a compiler that makes few passes over memory of them. */
export interface TensorFunction {
  /** Which inputs matter; the others may be null. */
  readonly reads: readonly boolean[];
  /** The results, for inputs of the shapes that it was made for. They belong to the tidy around the call. */
  call(inputs: readonly (FunctionInput | null)[]): Tensor[];
}

/**
 * Makes a function of what `run` computes from the inputs, by running it. `run` must be pure: it reads the inputs,
 * tensors that it makes from values of JavaScript, which become constants, and nothing else.
 */
export type CompileFunction = (
  inputs: readonly (FunctionInput | Narrowed)[],
  run: () => readonly (Tensor | Narrowed)[],
) => TensorFunction;

/**
 * What a backend offers that can make one function of many operations. A backend of TensorFlow.js has it as its
 * property `tensorFunctions`.
 */
export interface TensorFunctions {
  /**
   * What `make` made for inputs of these shapes, if that is worth its time by now; undefined as long as running
   * operations one by one costs less, or if it failed; the caller runs them and says {@link ran}. `key` says everything
   * else that the results depend on; what follows a `#` in it tells sizes apart, as the inputs' shapes do. With
   * `isAlike` processes that train together find the same in the same call, whatever their clocks say.
   */
  get<T extends object>(
    key: string,
    inputs: readonly FunctionInput[],
    make: (compile: CompileFunction) => T,
    isAlike?: boolean,
  ): T | undefined;
  /** What `get` had no function for last has run, whether it failed or not. */
  ran?(): void;
  /**
   * How many passes are still to come, the one that begins now included, and how many processes train together. Unknown
   * and one as long as nobody says it.
   */
  expect?(passes: number, processes: number): void;
  /** A pass is over: what comes in every pass is worth making a function of. */
  endPass(): void;
}

/** The current backend's, if it has them. */
export function tensorFunctions(): TensorFunctions | undefined {
  return (tf.backend() as unknown as { readonly tensorFunctions?: TensorFunctions }).tensorFunctions;
}

/**
 * Tells the current backend how many passes are still to come, the one that begins now included, and how many
 * processes train together: by that it decides whether making functions pays.
 */
export function expectPasses(passes: number, processes: number): void {
  tensorFunctions()?.expect?.(passes, processes);
}

/**
 * `run(inputs)` without gradients, on raw tensors, as a function where the backend makes functions and finds it worth
 * one. Called inside a `tf.tidy`; `key` is what the results depend on beside the inputs. A function rounds otherwise
 * than its operations: `isAlike` is for what processes that train together compute each for itself and must find equal
 * to the bit, such as norms of gradients and updates.
 */
export function asFunction(
  key: string,
  inputs: readonly Tensor[],
  run: (inputs: readonly Tensor[]) => readonly Tensor[],
  isAlike = false,
): readonly Tensor[] {
  const functions = tensorFunctions();
  if (functions === undefined) return run(inputs);
  const make = (compile: CompileFunction): TensorFunction => {
    const compiled = compile(inputs, () => run(inputs));
    // Compiling may fail, and does so at the first call.
    tf.dispose(compiled.call(inputs));
    return compiled;
  };
  const made = functions.get(key, inputs, make, isAlike);
  return made === undefined ? watched(functions, () => run(inputs)) : made.call(inputs);
}

/** Runs what there is no function for, and says so when it has run. */
export function watched<T>(functions: TensorFunctions, run: () => T): T {
  try {
    return run();
  } finally {
    functions.ran?.();
  }
}
