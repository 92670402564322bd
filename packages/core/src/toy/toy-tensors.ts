import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, expect } from "vitest";

/** Runs a file's tests on the CPU, and sees that each leaves no tensor behind. */
export function useToyTensors(): void {
  let tensors = 0;
  beforeAll(async () => {
    await tf.setBackend("cpu");
  });
  beforeEach(() => {
    tensors = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors).toBe(tensors);
  });
}
