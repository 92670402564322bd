import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor1D } from "@tensorflow/tfjs-core";

type Inputs = Readonly<Record<string, Tensor>>;
type Attributes = Readonly<Record<string, number | boolean>>;

/**
 * What each fused kernel computes, written with TensorFlow.js' ops: they stand in for a backend that has them.
 * Gradients come from numeric rules below, not from `tf.grad`.
 */
const KERNELS: Record<string, (inputs: Inputs, attributes: Attributes) => Tensor | Tensor[]> = {
  ThawRmsNorm: ({ x, gain }, { epsilon, offset }) => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x!), -1, true), epsilon as number));
    return [tf.mul(tf.mul(x!, inverse), tf.add(gain!, offset as number)), inverse];
  },
  ThawRmsNormGradient: ({ gradient, x, gain, inverse, addend }, { offset, wants_parameters: wants }) => {
    const normal = tf.mul(x!, inverse!);
    const scaled = tf.mul(gradient!, tf.add(gain!, offset as number));
    const dx = tf.mul(tf.sub(scaled, tf.mul(normal, tf.mean(tf.mul(scaled, normal), -1, true))), inverse!);
    return [plus(dx, addend!), columnSum(tf.mul(gradient!, normal), wants)];
  },
  ThawLayerNorm: ({ x, gain, bias }, { epsilon }) => {
    const mean = tf.mean(x!, -1, true);
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(tf.sub(x!, mean)), -1, true), epsilon as number));
    return [tf.add(tf.mul(tf.mul(tf.sub(x!, mean), inverse), gain!), bias!), mean, inverse];
  },
  ThawLayerNormGradient: ({ gradient, x, gain, mean, inverse, addend }, { wants_parameters: wants }) => {
    const normal = tf.mul(tf.sub(x!, mean!), inverse!);
    const scaled = tf.mul(gradient!, gain!);
    const tilt = tf.mul(normal, tf.mean(tf.mul(scaled, normal), -1, true));
    const dx = tf.mul(tf.sub(tf.sub(scaled, tf.mean(scaled, -1, true)), tilt), inverse!);
    return [plus(dx, addend!), columnSum(tf.mul(gradient!, normal), wants), columnSum(gradient!, wants)];
  },
  ThawActivation: ({ x }, { kind }) => value(x!, kind as number),
  ThawActivationGradient: ({ gradient, x }, { kind }) => tf.mul(gradient!, slope(x!, kind as number)),
  ThawGate: ({ gate, up }, { kind }) => tf.mul(value(gate!, kind as number), up!),
  ThawGateGradient: ({ gradient, gate, up }, { kind }) => [
    tf.mul(tf.mul(gradient!, up!), slope(gate!, kind as number)),
    tf.mul(gradient!, value(gate!, kind as number)),
  ],
  ThawRotary: ({ x, cos, sin }, { heads, is_inverse: isInverse }) => {
    const [rows, width] = x!.shape as [number, number];
    const [lines, depth] = cos!.shape as [number, number];
    const parts = tf.reshape(x!, [rows / lines, lines, heads as number, depth]);
    const table = (values: Tensor): Tensor => tf.reshape(values, [lines, 1, depth]);
    const turn = (values: Tensor, sign: number): Tensor => {
      const [first, second] = tf.split(values, 2, -1) as [Tensor, Tensor];
      return tf.concat([tf.mul(second, -sign), tf.mul(first, sign)], -1);
    };
    const turned = isInverse === true ? turn(tf.mul(parts, table(sin!)), -1) : tf.mul(turn(parts, 1), table(sin!));
    return tf.reshape(tf.add(tf.mul(parts, table(cos!)), turned), [rows, width]);
  },
  ThawAttention: (inputs, attributes) =>
    tf.concat(
      overHeads(inputs, attributes)
        .map(({ p, v }) => tf.matMul(p, v))
        .reduce(joinHeads(attributes), [] as Tensor[]),
      0,
    ),
  ThawAttentionGradient: attentionGradient,
};

/** What is left out has size 0. */
function plus(x: Tensor, addend: Tensor): Tensor {
  return addend.size === 0 ? x : tf.add(x, addend);
}

/** Registers the stand-ins for a backend; call the result to take them away. */
export function registerStandIns(backendName: string): () => void {
  for (const [kernelName, run] of Object.entries(KERNELS)) {
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => {
        const outputs = tf.tidy(() => run(inputs as Inputs, (attrs ?? {}) as Attributes));
        return outputs;
      },
    });
  }
  return () => {
    for (const kernelName of Object.keys(KERNELS)) tf.unregisterKernel(kernelName, backendName);
  };
}

function columnSum(x: Tensor, wants: number | boolean | undefined): Tensor {
  return wants === true ? tf.sum(tf.reshape(x, [-1, x.shape.at(-1) as number]), 0) : tf.tensor1d([]);
}

function inner(x: Tensor, kind: number): readonly [Tensor, Tensor] {
  if (kind === 0) return [x, tf.onesLike(x)];
  if (kind === 1) return [tf.mul(x, 1.702), tf.mul(tf.onesLike(x), 1.702)];
  const factor = 2 * Math.sqrt(2 / Math.PI);
  return [
    tf.mul(factor, tf.add(x, tf.mul(0.044715, tf.pow(x, 3)))),
    tf.mul(factor, tf.add(1, tf.mul(3 * 0.044715, tf.square(x)))),
  ];
}

function value(x: Tensor, kind: number): Tensor {
  return tf.mul(x, tf.sigmoid(inner(x, kind)[0]));
}

function slope(x: Tensor, kind: number): Tensor {
  const [argument, derivative] = inner(x, kind);
  const gate = tf.sigmoid(argument);
  return tf.add(gate, tf.mul(tf.mul(x, derivative), tf.mul(gate, tf.sub(1, gate))));
}

interface Head {
  readonly sample: number;
  readonly head: number;
  readonly p: Tensor;
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly rows: readonly [number, number];
  readonly keys: readonly [number, number];
}

/** Probabilities of every sample and head. */
function overHeads({ q, k, v, spans, first, end }: Inputs, { heads, key_heads: keyHeads, scale }: Attributes): Head[] {
  const table = spans!.arraySync() as [number, number, number, number][];
  const [from, to] = [[...first!.dataSync()], [...end!.dataSync()]];
  const depth = (q!.shape[1] as number) / (heads as number);
  const part = (x: Tensor, [first, end]: readonly [number, number], head: number): Tensor =>
    tf.slice(x, [first, head * depth], [end - first, depth]);
  return table.flatMap(([firstQuery, endQuery, firstKey, endKey], sample) =>
    Array.from({ length: heads as number }, (_, head) => {
      const [rows, keys] = [[firstQuery, endQuery] as const, [firstKey, endKey] as const];
      const shared = Math.floor(head / ((heads as number) / (keyHeads as number)));
      const own = { q: part(q!, rows, head), k: part(k!, keys, shared), v: part(v!, keys, shared) };
      const mask = Array.from({ length: endQuery - firstQuery }, (_row, row) =>
        Array.from({ length: endKey - firstKey }, (_key, key) =>
          key >= (from[firstQuery + row] ?? 0) && key < (to[firstQuery + row] ?? Infinity) ? 0 : -1e9,
        ),
      );
      const p = tf.softmax(
        tf.add(
          tf.mul(tf.matMul(own.q, own.k, false, true), scale as number),
          tf.tensor2d(mask, [endQuery - firstQuery, endKey - firstKey]),
        ),
      );
      return { sample, head, p, ...own, rows, keys };
    }),
  );
}

/** Heads of a sample side by side, samples one after the other. */
function joinHeads({ heads }: Attributes): (done: Tensor[], part: Tensor, index: number) => Tensor[] {
  return (done, part, index) =>
    index % (heads as number) === 0
      ? [...done, part]
      : [...done.slice(0, -1), tf.concat([done.at(-1) as Tensor, part], 1)];
}

function attentionGradient({ gradient, ...inputs }: Inputs, attributes: Attributes): Tensor[] {
  const { heads, key_heads: keyHeads, scale } = attributes as { heads: number; key_heads: number; scale: number };
  const depth = (inputs["q"]!.shape[1] as number) / heads;
  const sums = {
    q: tf.buffer(inputs["q"]!.shape as [number, number]),
    k: tf.buffer(inputs["k"]!.shape as [number, number]),
    v: tf.buffer(inputs["k"]!.shape as [number, number]),
  };
  const addTo = (name: "q" | "k" | "v", part: Tensor, row: number, column: number): void =>
    (part.arraySync() as number[][]).forEach((line, at) =>
      line.forEach((number, index) =>
        sums[name].set(sums[name].get(row + at, column + index) + number, row + at, column + index),
      ),
    );
  for (const { head, p, q, k, v, rows, keys } of overHeads(inputs, attributes)) {
    const upstream = tf.slice(gradient!, [rows[0], head * depth], [rows[1] - rows[0], depth]);
    const down = tf.matMul(upstream, v, false, true);
    const scores = tf.mul(tf.mul(p, tf.sub(down, tf.sum(tf.mul(p, down), -1, true))), scale);
    const column = Math.floor(head / (heads / keyHeads)) * depth;
    addTo("q", tf.matMul(scores, k), rows[0], head * depth);
    addTo("k", tf.matMul(scores, q, true, false), keys[0], column);
    addTo("v", tf.matMul(p, upstream, true, false), keys[0], column);
  }
  return [sums.q.toTensor(), sums.k.toTensor(), sums.v.toTensor()] as Tensor1D[];
}
