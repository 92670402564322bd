import * as tf from "@tensorflow/tfjs-core";
import { Tape, type Value } from "../src/index.js";
import { randomInput } from "./numeric.js";

/** Takes over a tensor that lives as long as the tape. */
export type Keep = <T extends tf.Tensor>(tensor: T) => T;

/** Layers over an input, which get frozen weights by shape and seed. */
export type FrozenLayers = (x: Value, weight: (shape: [number, number], seed: number) => Value, tape: Tape) => Value;

/** Loss, and gradient of a random input of that shape, of layers with the frozen weights that `frozen` makes. */
export function runFrozen(
  shape: number[],
  layers: FrozenLayers,
  frozen: (tape: Tape, values: Float32Array, shape: [number, number], keep: Keep) => Value,
): { readonly loss: number; readonly gradient: Float32Array } {
  const tape = new Tape();
  const made: tf.Tensor[] = [];
  const keep: Keep = (tensor) => {
    made.push(tensor);
    return tensor;
  };
  const x = tape.parameter(keep(tf.tensor(randomInput(shape, 1).values, shape)), true);
  const loss = layers(x, (size, seed) => frozen(tape, randomInput(size, seed).values, size, keep), tape);
  const value = loss.tensor.dataSync()[0]!;
  const [gradient] = tape.backward(loss, [x]);
  const result = { loss: value, gradient: gradient!.dataSync<"float32">().slice() };
  gradient!.dispose();
  tape.dispose();
  tf.dispose(made);
  return result;
}
