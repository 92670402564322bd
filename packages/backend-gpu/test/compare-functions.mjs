// Ops of @thaw/autograd on TensorFlow's library, one by one and as functions: `node compare-functions.mjs <cache
// folder>`. One JSON line an op.
import { createRequire } from "node:module";
import * as autograd from "@thaw/autograd";
import { chooseBackend } from "@thaw/backend-gpu";

const tf = createRequire(createRequire(import.meta.url).resolve("@thaw/backend-gpu"))("@tensorflow/tfjs-core");
await chooseBackend({
  name: "native",
  projectFolder: process.cwd(),
  cacheFolder: process.argv[2],
  tensorFloat32: false,
  kernels: false,
  functions: true,
});
const { tensorFunctions } = tf.backend();
tensorFunctions.patience = 1;
const random = (shape, seed) => tf.randomNormal(shape, 0, 0.5, "float32", seed);
const CASES = {
  rmsNorm: [[[6, 8], [8]], (x, w) => autograd.rmsNorm(x, w, 1e-5)],
  layerNorm: [[[6, 8], [8], [8]], (x, w, b) => autograd.layerNorm(x, w, b, 1e-5)],
  linear: [[[6, 8], [5, 8], [5]], (x, w, b) => autograd.linear(x, w, b)],
  swiglu: [
    [
      [6, 8],
      [6, 8],
    ],
    (a, b) => autograd.swiglu(a, b),
  ],
  attention: [
    [
      [14, 32],
      [14, 16],
      [14, 16],
    ],
    (q, k, v) =>
      autograd.multiHeadAttention(q, k, v, {
        headCount: 4,
        keyValueHeadCount: 2,
        scale: 0.3,
        spans: autograd.AttentionSpans.even(2, 7, true),
      }),
  ],
};
for (const [name, [shapes, op]] of Object.entries(CASES)) {
  const before = tensorFunctions.madeCount;
  const run = (withFunctions) =>
    tf.tidy(() => {
      Object.assign(tf.backend(), { tensorFunctions: withFunctions ? tensorFunctions : undefined });
      const tape = new autograd.Tape();
      const inputs = shapes.map((shape, index) => tape.parameter(random(shape, index + 1), true));
      const output = op(...inputs);
      const found = tape.backward(autograd.sum(autograd.mul(output, tape.constant(random(output.shape, 9)))), inputs);
      const values = found.map((gradient) => gradient.dataSync());
      tf.dispose(found);
      tape.dispose();
      return values;
    });
  const [wanted, got] = [run(false), run(true)];
  const error = Math.max(
    ...wanted.map(
      (values, index) =>
        values.reduce((most, value, at) => Math.max(most, Math.abs(value - got[index][at])), 0) /
        values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3),
    ),
  );
  process.stdout.write(`${JSON.stringify({ name, error, made: tensorFunctions.madeCount - before })}\n`);
}
