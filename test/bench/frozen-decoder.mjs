/**
 * Six frozen Llama layers of which only the input embeddings need a gradient: Thaw against `tf.grad`, by turns in one
 * process, on WASM. Bytes are those above the weights; Thaw's include its transposed copies of frozen weights.
 * `speedup` is the ratio of median times.
 */
import { registerStockGradients } from "./support/stock-gradients.mjs";
import { median } from "./support/numbers.mjs";
import { peakMeter, startWasm } from "./support/wasm.mjs";

export const builds = ["autograd"];

const BATCH = 2;
const TOKENS = 256;
const HIDDEN = 384;
const INNER = 1024;
const HEADS = 6;
const LAYERS = 6;
const VOCABULARY = 8192;
const EPSILON = 1e-5;
const HEAD_SIZE = HIDDEN / HEADS;
const ROUNDS = 3;

export async function run({ log }) {
  const tf = await startWasm();
  await registerStockGradients();
  const autograd = await import("@thaw/autograd");
  const measure = peakMeter(tf);
  const setting = makeSetting(tf);
  const layouts = new autograd.LayoutCache();
  const weightBytes = tf.memory().numBytes;
  const rounds = { thaw: [], tfGrad: [] };
  let maxDifference = 0;
  let largestGradient = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const thaw = await measure(() => thawGradient(tf, autograd, setting, layouts));
    rounds.thaw.push({ milliseconds: thaw.milliseconds, bytes: thaw.peakBytes - weightBytes });
    const before = tf.memory().numBytes;
    const tfGrad = await measure(() => stockGradient(tf, setting));
    rounds.tfGrad.push({ milliseconds: tfGrad.milliseconds, bytes: tfGrad.peakBytes - before });
    for (const [index, value] of thaw.result.entries())
      maxDifference = Math.max(maxDifference, Math.abs(value - tfGrad.result[index]));
    for (const value of tfGrad.result) largestGradient = Math.max(largestGradient, Math.abs(value));
    log(`round ${round + 1}: Thaw ${thaw.milliseconds.toFixed(0)} ms, tf.grad ${tfGrad.milliseconds.toFixed(0)} ms`);
  }
  const layoutBytes = layouts.bytes;
  layouts.dispose();
  const times = (kind) => rounds[kind].map((entry) => entry.milliseconds);
  return {
    thawPeakBytes: Math.max(...rounds.thaw.map((entry) => entry.bytes)),
    tfGradPeakBytes: Math.max(...rounds.tfGrad.map((entry) => entry.bytes)),
    speedup: median(times("tfGrad")) / median(times("thaw")),
    maxDifference,
    largestGradient,
    layoutBytes,
    weightBytes,
    thawMilliseconds: times("thaw").map(Math.round),
    tfGradMilliseconds: times("tfGrad").map(Math.round),
  };
}

/**
 * Weights `[in, out]` as TensorFlow.js likes them and `[out, in]` as checkpoints hold them, embeddings, targets and the
 * causal mask.
 */
export function makeSetting(tf) {
  let seed = 1;
  const random = (shape, deviation) => tf.randomNormal(shape, 0, deviation, "float32", seed++);
  const weight = (inputs, outputs) => {
    const plain = random([inputs, outputs], 0.02);
    return { plain, stored: tf.transpose(plain) };
  };
  const layers = Array.from({ length: LAYERS }, () => ({
    q: weight(HIDDEN, HIDDEN),
    k: weight(HIDDEN, HIDDEN),
    v: weight(HIDDEN, HIDDEN),
    o: weight(HIDDEN, HIDDEN),
    gate: weight(HIDDEN, INNER),
    up: weight(HIDDEN, INNER),
    down: weight(INNER, HIDDEN),
  }));
  const targets = Int32Array.from({ length: BATCH * TOKENS }, (_, index) => (index * 7919) % VOCABULARY);
  const mask = tf.tidy(() => tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([TOKENS, TOKENS]), -1, 0)), -1e9));
  return {
    layers,
    head: weight(HIDDEN, VOCABULARY),
    gain: tf.ones([HIDDEN]),
    embeddings: random([BATCH, TOKENS, HIDDEN], 1),
    targets,
    mask,
  };
}

/** Gradient of the mean cross entropy with respect to the embeddings, as numbers. */
export function thawGradient(
  tf,
  { Tape, add, attention, crossEntropy, linear, reshape, rmsNorm, scale, swiglu, transpose },
  setting,
  layouts,
) {
  const tape = new Tape({ matmul: "plain2d", layouts });
  const frozen = (tensor) => tape.parameter(tensor, false);
  const gain = frozen(setting.gain);
  const embeddings = tape.parameter(setting.embeddings, true);
  const split = (x) => transpose(reshape(x, [BATCH, TOKENS, HEADS, HEAD_SIZE]), [0, 2, 1, 3]);
  const join = (x) => reshape(transpose(x, [0, 2, 1, 3]), [BATCH, TOKENS, HIDDEN]);
  const decoderLayer = (x, { q, k, v, o, gate, up, down }) => {
    const times = (value, weight) => linear(value, frozen(weight.stored));
    const attended = tape.tidy(() => {
      const normal = rmsNorm(x, gain, EPSILON);
      const mixed = attention(split(times(normal, q)), split(times(normal, k)), split(times(normal, v)), {
        scale: HEAD_SIZE ** -0.5,
        mask: setting.mask,
      });
      return add(x, times(join(mixed), o));
    });
    const normal = rmsNorm(attended, gain, EPSILON);
    return add(attended, times(swiglu(times(normal, gate), times(normal, up)), down));
  };
  let x = embeddings;
  for (const layer of setting.layers) x = tape.tidy(() => decoderLayer(x, layer));
  const rows = BATCH * TOKENS;
  const loss = scale(
    crossEntropy(reshape(rmsNorm(x, gain, EPSILON), [rows, HIDDEN]), frozen(setting.head.stored), setting.targets),
    1 / rows,
  );
  const [gradient] = tape.backward(loss, [embeddings]);
  const values = gradient.dataSync().slice();
  gradient.dispose();
  tape.dispose();
  return values;
}

/** The same in plain TensorFlow.js, as in the probe that the design's numbers come from. */
function stockGradient(tf, setting) {
  const times = (x, weight) =>
    tf.reshape(tf.matMul(tf.reshape(x, [BATCH * TOKENS, -1]), weight.plain), [BATCH, TOKENS, -1]);
  const norm = (x) => tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), EPSILON)));
  const split = (x) => tf.transpose(tf.reshape(x, [BATCH, TOKENS, HEADS, HEAD_SIZE]), [0, 2, 1, 3]);
  const decoderLayer = (x, { q, k, v, o, gate, up, down }) => {
    const normal = norm(x);
    const scores = tf.mul(tf.matMul(split(times(normal, q)), split(times(normal, k)), false, true), HEAD_SIZE ** -0.5);
    const mixed = tf.matMul(tf.softmax(tf.add(scores, setting.mask)), split(times(normal, v)));
    const attended = tf.add(x, times(tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [BATCH, TOKENS, HIDDEN]), o));
    const second = norm(attended);
    const opened = times(second, gate);
    return tf.add(attended, times(tf.mul(tf.mul(opened, tf.sigmoid(opened)), times(second, up)), down));
  };
  const loss = (embeddings) => {
    let x = embeddings;
    for (const layer of setting.layers) x = decoderLayer(x, layer);
    const logits = tf.matMul(tf.reshape(norm(x), [BATCH * TOKENS, HIDDEN]), setting.head.plain);
    const picked = tf.sum(tf.mul(logits, tf.oneHot(tf.tensor1d(setting.targets, "int32"), VOCABULARY)), -1);
    return tf.mean(tf.sub(tf.logSumExp(logits, -1), picked));
  };
  const gradient = tf.tidy(() => tf.grad(loss)(setting.embeddings));
  const values = gradient.dataSync().slice();
  gradient.dispose();
  return values;
}
