import "@tensorflow/tfjs-backend-cpu";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, expect } from "vitest";

/** Runs a file's tests on the CPU, each with an output folder of its own, and sees that no tensor is left. */
export function useToyOutput(onFolder: (folder: string) => void): void {
  let tensors = 0;
  let output = "";
  beforeAll(async () => {
    await tf.setBackend("cpu");
  });
  beforeEach(async () => {
    tensors = tf.memory().numTensors;
    output = await mkdtemp(join(tmpdir(), "thaw-core-"));
    onFolder(output);
  });
  afterEach(async () => {
    await rm(output, { recursive: true, force: true });
    expect(tf.memory().numTensors).toBe(tensors);
  });
}
