import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { DeviceFeatures } from "./device-features.js";
import type { Feature } from "./feature.js";

beforeAll(() => tf.setBackend("cpu"));

const feature = (rows: number, value: number): Feature => ({
  shape: [rows, 2],
  values: new Float32Array(2 * rows).fill(value),
});

describe("features on a device", () => {
  it.each([0, 16, 1000])("are joined in order, and as many stay as fit into %d bytes", (limit) => {
    const before = tf.memory().numTensors;
    const device = new DeviceFeatures(limit);
    for (const _ of [1, 2]) {
      const { tensor, offsets } = device.join(["one", "two", "one"], [feature(1, 1), feature(2, 2), feature(1, 1)]);
      expect([...tensor.dataSync()]).toEqual([1, 1, 2, 2, 2, 2, 1, 1]);
      expect([...offsets]).toEqual([0, 1, 3, 4]);
      tensor.dispose();
    }
    expect(tf.memory().numTensors - before).toBe(limit === 0 ? 0 : limit === 16 ? 1 : 2);
    const { tensor: single } = device.join(["one"], [feature(1, 1)]);
    single.dispose();
    expect([...device.join(["one"], [feature(1, 1)]).tensor.dataSync()]).toEqual([1, 1]);
    device.clear();
    expect(tf.memory().numTensors - before).toBe(1);
  });
});
