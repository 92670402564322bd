// @ts-check
/**
 * First steps of goldens in bfloat16 by compiled functions, on TensorFlow for the processor, beside float32 without
 * functions, everything trained: `node handed-on.mjs <cache folder> <golden folder>...`. A JSON line a folder, without
 * and with `checkpointing`: `losses` of two steps relative to float32's, `gradient` the norm of the difference of all
 * gradients of the first over their norm, `made` how many functions were made.
 */
import { createRequire } from "node:module";
import { basename } from "node:path";
import { chooseBackend } from "@thaw/backend-gpu";
import { API_VERSION, definePlugin, Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import { onlyBatch, openGolden } from "../parity/golden.mjs";

const [cacheFolder, ...folders] = process.argv.slice(2);
const tf = createRequire(createRequire(import.meta.url).resolve("@thaw/backend-gpu"))("@tensorflow/tfjs-core");

for (const folder of folders) {
  const wanted = await train(folder, { precision: "float32", functions: false, checkpointing: false });
  for (const checkpointing of [false, true]) {
    const got = await train(folder, { precision: "bfloat16", functions: true, checkpointing });
    const line = {
      folder: basename(folder),
      checkpointing,
      losses: got.losses.map((loss, step) => loss / wanted.losses[step] - 1),
      gradient: errorOf(got.gradients, wanted.gradients),
      made: got.made,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}

async function train(folder, { precision, functions, checkpointing }) {
  const { backend } = await chooseBackend({
    name: "native",
    projectFolder: process.cwd(),
    cacheFolder,
    tensorFloat32: false,
    kernels: false,
    functions,
  });
  const { tensorFunctions } = tf.backend();
  if (tensorFunctions !== undefined) tensorFunctions.patience = 1;
  const made = tensorFunctions?.madeCount ?? 0;
  const golden = await openGolden(folder);
  await golden.reader.close();
  const [gradients, losses] = [new Map(), []];
  const watch = definePlugin({
    name: "Watch",
    apiVersion: API_VERSION,
    apply({ hooks }) {
      hooks.resolveBackend.tap("Watch", () => backend);
      hooks.plan.tap("Watch", ({ phases }) => ({
        phases: phases.map((phase) => ({
          ...phase,
          entries: phase.entries.map((entry) => ({ ...entry, trainable: true })),
        })),
      }));
      hooks.gradients.tap("Watch", (found, { step }) => {
        if (step === 0) for (const [name, gradient] of found) gradients.set(name, gradient.dataSync().slice());
        return found;
      });
      hooks.afterStep.tap("Watch", ({ loss }) => void losses.push(loss));
    },
  });
  await new Trainer({
    model: await openModel(folder),
    data: { train: onlyBatch(golden.batch) },
    plugins: [watch()],
    seed: 0,
    training: {
      maxSteps: 2,
      microBatchSize: golden.batch.batchSize,
      shuffle: false,
      learningRate: 1e-4,
      precision,
      activationCheckpointing: checkpointing ? "on" : "off",
    },
  }).run();
  return { gradients, losses, made: (tensorFunctions?.madeCount ?? 0) - made };
}

function errorOf(got, wanted) {
  let [difference, norm] = [0, 0];
  for (const [name, values] of wanted)
    values.forEach((value, index) => {
      difference += (got.get(name)[index] - value) ** 2;
      norm += value ** 2;
    });
  return Math.sqrt(difference / norm);
}
