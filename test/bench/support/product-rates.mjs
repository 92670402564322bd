/**
 * `node product-rates.mjs <json>`: GFLOP/s of the product with the widest weight of the language model, as
 * TensorFlow.js makes it of plain matrices and as Thaw makes it with the weight `[out, in]`.
 */
import { SIZES } from "./peer-shapes.mjs";

const { size, backend: name } = JSON.parse(process.argv[2]);
const tf = await import("@tensorflow/tfjs-core");
const { chooseBackend, defaultCacheFolder, resolveBackendOptions } = await import("@thaw/backend-gpu");
const { linear, Tape } = await import("@thaw/autograd");
const { backend } = await chooseBackend(
  resolveBackendOptions({ name }, { projectFolder: process.cwd(), cacheFolder: defaultCacheFolder() }),
);

const { hidden_size: inner, intermediate_size: columns } = SIZES[size].text;
const rows = 880;
const flop = 2 * rows * inner * columns;
const [x, plainWeight, weight] = [
  tf.randomNormal([rows, inner]),
  tf.randomNormal([inner, columns]),
  tf.randomNormal([columns, inner]),
];
const own = () => {
  const tape = new Tape({ matmul: backend.matmul });
  const product = tf.keep(tf.clone(linear(tape.constant(x), tape.parameter(weight, false)).tensor));
  tape.dispose();
  return product;
};
process.stdout.write(`${JSON.stringify({ plain: rate(() => tf.matMul(x, plainWeight)), own: rate(own) })}\n`);

function rate(make) {
  let best = Infinity;
  for (let round = 0; round < 30; round++) {
    const start = performance.now();
    const product = make();
    product.dataSync();
    best = Math.min(best, performance.now() - start);
    product.dispose();
  }
  return flop / best / 1e6;
}
