import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { createHooks, type LossContext, Tape, type Trainer, type Value } from "@thaw/core";
import { beforeAll, expect, test } from "vitest";
import { contrastiveLoss } from "./contrastive.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const options = {
  captions: ["dog face", "cat face", "sun"],
  width: 4,
  weight: 1,
  scale: 20,
  labelSmoothing: 0,
  seed: 1,
};

test("adds its parameters, and a loss whose gradient reaches tower and parameters", async () => {
  const before = tf.memory().numTensors;
  const hooks = createHooks();
  contrastiveLoss(options).apply!({ hooks } as unknown as Trainer);
  const parameters = await hooks.parameters.promise([], {} as never);
  expect(parameters.map(({ name, shape }) => [name, ...shape])).toEqual([
    ["contrastive.map.weight", 4, 4],
    ["contrastive.captions.weight", 3, 4],
    ["contrastive.words.weight", 4, 4],
  ]);
  await hooks.initialize.promise({} as never);
  const tape = new Tape();
  const tensors = parameters.map((parameter) =>
    tf.tensor(parameter.initialize!(parameter, Math.random) as Float32Array, [...parameter.shape]),
  );
  const values = new Map(parameters.map(({ name }, index) => [name, tape.parameter(tensors[index]!, true)]));
  // Two pictures of three rows each.
  const pixels = tf.randomNormal([6, 4], 0, 1, "float32", 3);
  const features = tape.parameter(pixels, true);
  const loss = hooks.loss.call(tape.constant(tf.scalar(2)), {
    segmentOutput: () => features,
    scope: {
      parameter: (name: string) => values.get(name) as Value,
      constant: (tensor: tf.Tensor) => tape.constant(tensor),
    },
    batch: {
      batchSize: 2,
      samples: [
        { id: "a", reference: "sun" },
        { id: "b", reference: "cat face" },
      ],
    },
    supervisedTokenCount: 6,
  } as unknown as LossContext);
  const extra = loss.tensor.dataSync()[0]! - 2;

  const expected = tf.tidy(() => {
    const unit = (x: tf.Tensor2D): tf.Tensor2D => tf.div(x, tf.sqrt(tf.add(tf.sum(tf.square(x), 1, true), 4e-6)));
    const [map, captions, words] = tensors as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    const shares = tf.tensor2d([
      [0.5, 0.5, 0, 0],
      [0, 0.5, 0.5, 0],
      [0, 0, 0, 1],
    ]);
    const pictures = unit(tf.matMul(tf.mean(tf.reshape(pixels, [2, 3, 4]), 1) as tf.Tensor2D, map, false, true));
    const logits = tf.mul(tf.matMul(pictures, unit(tf.add(captions, tf.matMul(shares, words))), false, true), 20);
    const chosen = tf.mul(
      tf.logSoftmax(logits),
      tf.tensor2d([
        [0, 0, 1],
        [0, 1, 0],
      ]),
    );
    return -tf.sum(chosen).dataSync()[0]!;
  });
  expect(extra).toBeCloseTo((expected * 6) / 2, 3);

  const gradients = tape.backward(loss, [features, ...values.values()]);
  for (const gradient of gradients) expect(Math.max(...gradient!.dataSync().map(Math.abs))).toBeGreaterThan(0);
  tf.dispose([...gradients.filter((gradient) => gradient !== null), ...tensors, pixels]);
  tape.dispose();
  await hooks.shutdown.promise();
  expect(tf.memory().numTensors - before).toBeLessThanOrEqual(1);
});

test("names a caption that it was not given", async () => {
  const hooks = createHooks();
  contrastiveLoss(options).apply!({ hooks } as unknown as Trainer);
  await hooks.initialize.promise({} as never);
  const tape = new Tape();
  const features = tf.ones([3, 4]);
  const parameters = (await hooks.parameters.promise([], {} as never)).map(
    (parameter) =>
      [
        parameter.name,
        tf.tensor(parameter.initialize!(parameter, Math.random) as Float32Array, [...parameter.shape]),
      ] as const,
  );
  const values = new Map(parameters.map(([name, tensor]) => [name, tape.parameter(tensor, true)]));
  const context = {
    segmentOutput: () => tape.constant(features),
    scope: { parameter: (name: string) => values.get(name), constant: (tensor: tf.Tensor) => tape.constant(tensor) },
    batch: { batchSize: 1, samples: [{ id: "a", reference: "whale" }] },
    supervisedTokenCount: 1,
  };
  expect(() => hooks.loss.call(tape.constant(features), context as unknown as LossContext)).toThrow(
    /"whale", which is none of the 3 captions/,
  );
  tape.dispose();
  tf.dispose([features, ...parameters.map(([, tensor]) => tensor)]);
  await hooks.shutdown.promise();
});
