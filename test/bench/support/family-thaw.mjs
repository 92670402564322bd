/**
 * One folder of `families.mjs` on Thaw, in a process of its own: `node family-thaw.mjs <json>`. Prints one JSON line
 * with the fields that `peer_families.py` prints. Times are from one step's end to the next one's.
 */
import { median } from "./numbers.mjs";
import { profileOperations } from "./op-profile.mjs";
import { onlyBatch, openGolden } from "../../parity/golden.mjs";

const options = JSON.parse(process.argv[2]);
const tf = await import("@tensorflow/tfjs-core");
const { chooseBackend, defaultCacheFolder, resolveBackendOptions } = await import("@thaw/backend-gpu");
const { elementCount, ownerByPrefix } = await import("@thaw/contracts");
const { API_VERSION, definePlugin, Trainer } = await import("@thaw/core");
const { openModel } = await import("@thaw/models");
const { freezePolicy } = await import("@thaw/plugin-freeze-policy");
const { projectorOnly } = await import("@thaw/plugin-projector-only");

const { backend } = await chooseBackend(
  resolveBackendOptions(
    { name: options.backend, cacheFolder: options.cacheFolder },
    { projectFolder: process.cwd(), cacheFolder: defaultCacheFolder() },
  ),
);
tf.scalar(0).dispose();
const peakMegabytes = () => process.resourceUsage().maxRSS / 1024;
const importMegabytes = peakMegabytes();

const golden = await openGolden(options.golden);
await golden.reader.close();
const model = await openModel(options.folder);
const trainable = golden.facts.runs.projector.trainable;
const owners = new Set(model.parameters.map(({ name }) => ownerByPrefix(name, model.components)));
const components = Object.fromEntries([...owners].map((name) => [name, trainable.includes(name) ? "train" : "frozen"]));
const batch = repeated(golden.batch, options.repeats);
const times = [];
const processorTimes = [];
const processorTime = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
};
const losses = [];
let last = 0;
let lastOfProcessor = 0;
const profile = options.profile ? profileOperations(tf.backend()) : undefined;
const watch = definePlugin({
  name: "FamilyBench",
  apiVersion: API_VERSION,
  apply({ hooks }) {
    hooks.resolveBackend.tap("FamilyBench", () => backend);
    hooks.afterStep.tap("FamilyBench", ({ loss }) => {
      const now = performance.now();
      times.push(now - last);
      last = now;
      processorTimes.push(processorTime() - lastOfProcessor);
      lastOfProcessor = processorTime();
      losses.push(loss);
      if (times.length === options.warmup) profile?.start();
    });
  },
})();
last = performance.now();
await new Trainer({
  model,
  data: { train: onlyBatch(batch) },
  plugins: [freezePolicy({ components }), projectorOnly({ featureCache: "off" }), watch],
  seed: 1,
  training: {
    maxSteps: options.warmup + options.steps,
    microBatchSize: batch.batchSize,
    shuffle: false,
    learningRate: 1e-3,
    optimizer: { weightDecay: 0.01, decayNormsAndBiases: true, clipNorm: 1 },
  },
}).run();
const kept = times.slice(options.warmup);
process.stdout.write(
  `${JSON.stringify({
    step_ms_min: Math.min(...kept),
    step_ms_median: median(kept),
    step_cpu_ms: Math.min(...processorTimes.slice(options.warmup)),
    loss_first: losses[0],
    loss_last: losses.at(-1),
    rss_import_mb: importMegabytes,
    peak_rss_mb: peakMegabytes(),
    backend: backend.name,
    tokens: batch.batchSize * batch.tokenCount,
    trained: model.parameters
      .filter(({ name }) => trainable.includes(ownerByPrefix(name, model.components)))
      .reduce((sum, { shape }) => sum + elementCount(shape), 0),
    ...(profile === undefined ? {} : { profile: profile.stop(kept.length) }),
  })}\n`,
);

/** A batch so many times, one copy behind the other. */
function repeated(one, times) {
  const rows = (values) => Int32Array.from({ length: values.length * times }, (_, at) => values[at % values.length]);
  const copies = Array.from({ length: times }, (_, copy) => copy);
  return {
    ...one,
    tokenIds: rows(one.tokenIds),
    attentionMask: rows(one.attentionMask),
    labels: rows(one.labels),
    batchSize: one.batchSize * times,
    media: copies.flatMap((copy) =>
      one.media.map((item) => ({
        ...item,
        contentKey: `${item.contentKey} ${copy}`,
        sample: item.sample + copy * one.batchSize,
      })),
    ),
    samples: copies.flatMap((copy) => one.samples.map(({ id }) => ({ id: `${id} ${copy}` }))),
  };
}
