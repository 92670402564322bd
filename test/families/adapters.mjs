// @ts-check
import { join } from "node:path";
import { clone, keep } from "@tensorflow/tfjs-core";
import { backendGpu } from "@thaw/backend-gpu";
import { API_VERSION, definePlugin, Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import lora, { saveAdapter } from "@thaw/plugin-lora";
import { writeSafetensors } from "@thaw/safetensors";
import { onlyBatch, openGolden } from "../parity/golden.mjs";
import { adaptersOf } from "./states.mjs";

/** Steps that train the adapter; B is zero before the first, A has no gradient. */
const STEPS = 3;

/**
 * Trains adapters of all linear layers of a golden folder's towers and language model, and its projector whole, writes
 * them in PEFT's layout, reads them back, and writes the logits that they give on the golden's batch beside them
 * (`logits.safetensors`).
 * @param {string} folder
 * @param {string} written a folder that is not there
 */
export async function writeAdapter(folder, written) {
  const golden = await openGolden(folder);
  await golden.reader.close();
  const freeze = adaptersOf(await openModel(folder));
  const common = { data: { train: onlyBatch(golden.batch) }, seed: 0 };
  const training = { microBatchSize: golden.batch.batchSize, shuffle: false, learningRate: 0.02 };
  const trainer = new Trainer({
    ...common,
    model: await openModel(folder),
    plugins: [backendGpu("wasm"), freezePolicy(freeze), lora()],
    training: { ...training, maxSteps: STEPS },
    evaluators: [
      {
        name: "adapter",
        atStart: false,
        evaluate: async (session) => {
          const omitted = await saveAdapter(trainer, written, session);
          if (omitted.length > 0) throw new Error(`The adapter lacks ${omitted.join(", ")}.`);
          return {};
        },
      },
    ],
  });
  await trainer.run();
  /** @type {import("@tensorflow/tfjs-core").Tensor | undefined} */
  let logits;
  const probe = definePlugin({
    name: "AdapterProbe",
    apiVersion: API_VERSION,
    apply: ({ hooks }) => {
      hooks.loss.tap("AdapterProbe", (loss, { output }) => {
        logits = keep(clone(output.logits(null).tensor));
        return loss;
      });
      hooks.afterStep.tapPromise("AdapterProbe", async () => {
        if (logits === undefined) return;
        const values = /** @type {Float32Array} */ (await logits.data());
        const entry = { name: "logits", dtype: /** @type {const} */ ("F32"), shape: logits.shape };
        await writeSafetensors(join(written, "logits.safetensors"), [entry], () => values);
        logits.dispose();
      });
    },
  })();
  await new Trainer({
    ...common,
    model: await openModel(folder),
    plugins: [backendGpu("wasm"), freezePolicy(freeze), lora({ adapter: written }), probe],
    training: { ...training, maxSteps: 1 },
  }).run();
}
