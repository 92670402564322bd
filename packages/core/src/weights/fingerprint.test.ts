import { elementCount } from "@thaw/contracts";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import { hashTensor } from "./fingerprint.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

it.each([[3], [0], [(1 << 21) + 5], [2, (1 << 21) + 1]])(
  "hashes all values in order, however many there are (%i, ...)",
  async (...shape) => {
    const values = Float32Array.from({ length: elementCount(shape) }, (_, index) => Math.fround(index * 0.37));
    const tensor = tf.tensor(values, shape);
    const before = tf.memory().numTensors;
    expect(await hashTensor(tensor)).toBe(createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex"));
    expect(tf.memory().numTensors).toBe(before);
    tensor.dispose();
  },
);
