import * as tf from "@tensorflow/tfjs-core";
import { linear, type MatmulStrategy, Tape } from "@thaw/core";

/** Speed of one form of matrix product. */
export interface ProductSpeed {
  /** E.g. `880x576x1536, second operand transposed`. */
  readonly name: string;
  /** 10^9 floating-point operations per second, 2mnk a product, reading one number of the result included. */
  readonly gflops: number;
  /** Of the fastest plain product measured here. */
  readonly share: number;
}

/** What `thaw backend bench` measures, on the backend that is current. */
export interface BackendSpeed {
  readonly products: readonly ProductSpeed[];
  /** One addition of 16 numbers, on average. */
  readonly operationMicroseconds: number;
  /** Host to device, 10^9 bytes per second. */
  readonly uploadGigabytesPerSecond: number;
}

/** A product to measure. */
export interface Product {
  readonly name: string;
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** By a linear layer of Thaw, `b` being its weight `[out, in]`, instead of `tf.matMul`. */
  readonly isLayer?: boolean;
  readonly flop: number;
}

const [ROWS, INNER, COLUMNS] = [880, 576, 1536];
const FLOP = 2 * ROWS * INNER * COLUMNS;

/** The forms that a training step is made of; shapes of the projector-only benchmark. */
const PRODUCTS: readonly Product[] = [
  { name: `${ROWS}x${INNER}x${COLUMNS}, plain`, a: [ROWS, INNER], b: [INNER, COLUMNS], flop: FLOP },
  {
    name: `${ROWS}x${INNER}x${COLUMNS}, second operand transposed`,
    a: [ROWS, INNER],
    b: [COLUMNS, INNER],
    transposeB: true,
    flop: FLOP,
  },
  {
    name: `${ROWS}x${INNER}x${COLUMNS}, first operand transposed`,
    a: [INNER, ROWS],
    b: [INNER, COLUMNS],
    transposeA: true,
    flop: FLOP,
  },
  {
    name: `${ROWS}x${INNER}x${COLUMNS}, as Thaw multiplies with a weight`,
    a: [ROWS, INNER],
    b: [COLUMNS, INNER],
    isLayer: true,
    flop: FLOP,
  },
  {
    name: "attention scores, 36 of 220x64x220",
    a: [36, 220, 64],
    b: [36, 220, 64],
    transposeB: true,
    flop: 36 * 2 * 220 * 64 * 220,
  },
  { name: "1024x1024x1024, plain", a: [1024, 1024], b: [1024, 1024], flop: 2 * 1024 ** 3 },
];

/**
 * Measures the current backend, which multiplies as `matmul` says, for about `secondsPerProduct` a product. Keeps no
 * tensor.
 */
export async function benchBackend(
  matmul: MatmulStrategy,
  options: { readonly secondsPerProduct?: number; readonly products?: readonly Product[] } = {},
): Promise<BackendSpeed> {
  const budgetMs = (options.secondsPerProduct ?? 1) * 1000;
  const rates: { readonly name: string; readonly gflops: number }[] = [];
  for (const product of options.products ?? PRODUCTS) {
    rates.push({ name: product.name, gflops: measureProduct(product, matmul, budgetMs) });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const fastest = Math.max(...rates.filter(({ name }) => name.endsWith("plain")).map(({ gflops }) => gflops));
  return {
    products: rates.map(({ name, gflops }) => ({ name, gflops, share: gflops / fastest })),
    operationMicroseconds: measureOperation(),
    uploadGigabytesPerSecond: measureUpload(),
  };
}

function measureProduct(
  { a, b, transposeA = false, transposeB = false, isLayer = false, flop }: Product,
  matmul: MatmulStrategy,
  budgetMs: number,
): number {
  const [left, right] = [tf.randomUniform([...a], -1, 1, "float32", 1), tf.randomUniform([...b], -1, 1, "float32", 2)];
  const tape = new Tape({ matmul });
  const once = (): number => {
    const from = performance.now();
    tf.tidy(() =>
      firstOf(
        isLayer
          ? linear(tape.constant(left), tape.parameter(right, false)).tensor
          : tf.matMul(left, right, transposeA, transposeB),
      ),
    );
    return performance.now() - from;
  };
  once();
  let best = once();
  for (const end = performance.now() + budgetMs; performance.now() < end;) best = Math.min(best, once());
  tape.dispose();
  tf.dispose([left, right]);
  return flop / best / 1e6;
}

/** Reads one number, so that the product is done without its transfer to the host. */
function firstOf(result: tf.Tensor): number {
  return tf.slice(tf.reshape(result, [-1]), [0], [1]).dataSync()[0] as number;
}

function measureOperation(): number {
  const [a, b] = [tf.fill([16], 1), tf.fill([16], 2)];
  const COUNT = 2000;
  const run = (): void => {
    for (let index = 0; index < COUNT; index += 1) tf.add(a, b).dispose();
    tf.tidy(() => firstOf(tf.add(a, b)));
  };
  run();
  const from = performance.now();
  run();
  const microseconds = ((performance.now() - from) * 1000) / COUNT;
  tf.dispose([a, b]);
  return microseconds;
}

function measureUpload(): number {
  const values = new Float32Array(1 << 22).fill(1);
  const once = (): number => {
    const from = performance.now();
    // Some backends upload at first use, so the addition counts too.
    tf.tidy(() => firstOf(tf.add(tf.tensor1d(values), tf.scalar(1))));
    return performance.now() - from;
  };
  once();
  return values.byteLength / Math.min(once(), once(), once()) / 1e6;
}
