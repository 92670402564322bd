/**
 * The Thaw side of `real-size.mjs`, in a process of its own: `node real-size-thaw.mjs <json>`. Trains the projector
 * alone for three steps on one sample, writes the batch for the peer and the export, and prints one JSON line.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const { folder, golden, backend, batchFile, exportFolder } = JSON.parse(process.argv[2]);
const { backendGpu } = await import("@thaw/backend-gpu");
const { API_VERSION, definePlugin, Trainer } = await import("@thaw/core");
const { decodeRgb, encodeConversation } = await import("@thaw/data");
const { openModel, openProcessor } = await import("@thaw/models");
const { freezePolicy } = await import("@thaw/plugin-freeze-policy");
const { projectorOnly } = await import("@thaw/plugin-projector-only");
const { writeSafetensors } = await import("@thaw/safetensors");

const peakMegabytes = () => process.resourceUsage().maxRSS / 1024;
const opening = performance.now();
const model = await openModel(folder);
const opened = (performance.now() - opening) / 1000;
const batch = await makeBatch();
const steps = [];
const watch = definePlugin({
  name: "RealSizeWatch",
  apiVersion: API_VERSION,
  apply: ({ hooks }) =>
    hooks.afterStep.tap("RealSizeWatch", ({ loss, durationMs }) => void steps.push({ loss, durationMs })),
})();
const source = {
  name: "one sample",
  sampleCount: 1,
  augmentations: [],
  async *batches({ skip = 0 }) {
    if (skip === 0) yield { ...batch, segmentOutputs: {} };
  },
  close: async () => undefined,
};
const trainer = new Trainer({
  model,
  data: { train: source },
  plugins: [backendGpu(backend), freezePolicy({ trainMmProjOnly: true }), projectorOnly({}), watch],
  seed: 0,
  training: {
    maxSteps: 3,
    microBatchSize: 1,
    learningRate: 1e-3,
    schedule: { type: "constant" },
    optimizer: { weightDecay: 0, clipNorm: null },
  },
  evaluators: [
    {
      name: "export",
      atStart: false,
      evaluate: async (session) => {
        if (steps.length === 3) await session.save(exportFolder, { dtype: "BF16", overwrite: true });
        return {};
      },
    },
  ],
});
await trainer.run();
process.stdout.write(
  `${JSON.stringify({
    losses: steps.map(({ loss }) => loss),
    stepMs: steps.map(({ durationMs }) => durationMs).sort((left, right) => left - right)[1],
    openSeconds: opened,
    peakMegabytes: peakMegabytes(),
  })}\n`,
);

/** One picture, one question, one answer; the same numbers go to the peer. */
async function makeBatch() {
  const processor = await openProcessor(folder);
  const image = await decodeRgb(await readFile(join(golden, "image0.png")), { exif: true });
  const { worker } = processor.media.image;
  const plan = processor.media.image.plan({ width: image.width, height: image.height });
  const values = (await import(worker.module))[worker.exportName](worker.options).process(image);
  const messages = [
    { role: "user", content: [{ type: "image" }, { type: "text", text: "What is in the image?" }] },
    { role: "assistant", content: [{ type: "text", text: "A red disc on a blue field." }] },
  ];
  const encoded = encodeConversation(processor, messages, { plans: [plan], origin: "sample", endToken: "template" });
  const count = encoded.tokenIds.length;
  const [tokenIds, labels] = [Int32Array.from(encoded.tokenIds), Int32Array.from(encoded.labels)];
  const { rows, width } = plan.inputs.pixelValues;
  const grid = plan.facts.grid ?? [];
  const tensors = {
    input_ids: [tokenIds, [1, count]],
    attention_mask: [new Int32Array(count).fill(1), [1, count]],
    labels: [labels, [1, count]],
    types: [tokenIds.map((id) => (id === plan.tokenId ? 1 : 0)), [1, count]],
    grid: [Int32Array.from([1, ...grid].slice(-3)), [1, Math.min(3, grid.length + 1)]],
    pixels: [values.pixelValues, [rows, width]],
  };
  await writeSafetensors(
    batchFile,
    Object.entries(tensors).map(([name, [, shape]]) => ({ name, shape, dtype: "F32" })),
    async (name) => Float32Array.from(tensors[name][0]),
  );
  return {
    tokenIds,
    labels,
    attentionMask: new Int32Array(count).fill(1),
    batchSize: 1,
    tokenCount: count,
    media: [
      {
        modality: "image",
        contentKey: "picture",
        sample: 0,
        columns: encoded.columns[0],
        facts: plan.facts,
        inputs: plan.inputs,
        load: async () => values,
      },
    ],
    segmentOutputs: {},
    samples: [{ id: "0" }],
  };
}
