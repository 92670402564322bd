/**
 * One case of `peer.mjs` on Thaw, in a process of its own: `node peer-thaw.mjs <json>`. Prints one JSON line with the
 * fields that `peer_transformers.py` prints. Times are from one step's end to the next one's, so loading and hooks
 * count too.
 */
import { median } from "./numbers.mjs";
import { profileOperations } from "./op-profile.mjs";
import { syntheticSource, withModelFolder } from "./peer-shapes.mjs";

const FREEZE = {
  projector: { trainMmProjOnly: true },
  projector_lm: { freezeVisionTower: true, freezeMultiModalProjector: false, freezeLanguageModel: false },
  all: { freezeVisionTower: false, freezeMultiModalProjector: false, freezeLanguageModel: false },
};
/** What trains in a mode, and whether features are kept. */
const MODES = {
  projector: { freeze: FREEZE.projector, featureCache: "off" },
  projector_cached: { freeze: FREEZE.projector, featureCache: "auto" },
  projector_lm: { freeze: FREEZE.projector_lm, featureCache: "off" },
  projector_lm_cached: { freeze: FREEZE.projector_lm, featureCache: "auto" },
  all: { freeze: FREEZE.all, featureCache: "off" },
  epochs: { freeze: FREEZE.projector, featureCache: "auto" },
};

const options = JSON.parse(process.argv[2]);
const tf = await import("@tensorflow/tfjs-core");
const { chooseBackend, defaultCacheFolder, resolveBackendOptions } = await import("@thaw/backend-gpu");
const { API_VERSION, definePlugin, Trainer } = await import("@thaw/core");
const { openModel } = await import("@thaw/models");
const { freezePolicy } = await import("@thaw/plugin-freeze-policy");
const { projectorOnly } = await import("@thaw/plugin-projector-only");

const wanted = {
  name: options.backend,
  cacheFolder: options.cacheFolder,
  tensorFloat32: (options.training?.precision ?? "float32") !== "float32",
};
const { backend } = await chooseBackend(
  resolveBackendOptions(wanted, { projectFolder: process.cwd(), cacheFolder: defaultCacheFolder() }),
);
tf.scalar(0).dispose();
const peakMegabytes = () => process.resourceUsage().maxRSS / 1024;
const importMegabytes = peakMegabytes();
process.stdout.write(
  `${JSON.stringify(options.mode === "gemm" ? { backend: backend.name, ...gemm() } : await train())}\n`,
);

async function train() {
  const { size, shape, steps, warmup, samples, epochs, layers } = options;
  const { freeze, featureCache } = MODES[options.mode];
  const { place } = options;
  const together = place === undefined ? [] : [(await import("@thaw/plugin-processes")).processes(place)];
  const isEpochs = options.mode === "epochs";
  const times = [];
  const cpu = [];
  const losses = [];
  let start = 0;
  let last = 0;
  let usage = process.cpuUsage();
  let total = 0;
  const profile = options.profile ? profileOperations(tf.backend()) : undefined;
  const watch = definePlugin({
    name: "PeerBench",
    apiVersion: API_VERSION,
    apply({ hooks }) {
      hooks.resolveBackend.tap("PeerBench", () => backend);
      hooks.beforeEpoch.tap("PeerBench", () => {
        if (start === 0) start = last = performance.now();
      });
      hooks.afterStep.tap("PeerBench", ({ loss }) => {
        const now = performance.now();
        times.push(now - last);
        const used = process.cpuUsage(usage);
        cpu.push((used.user + used.system) / 1e3);
        usage = process.cpuUsage();
        last = now;
        losses.push(loss);
        if (times.length === warmup) profile?.start();
      });
      hooks.afterEpoch.tap("PeerBench", () => {
        total = performance.now() - start;
      });
    },
  });
  const source = syntheticSource({
    size,
    samples: isEpochs ? samples : shape.batch * (place?.size ?? 1),
    isDecoded: !isEpochs,
    ...shape,
  });
  const run = async (folder) =>
    new Trainer({
      model: await openModel(folder, { initialize: "all", seed: 1 }),
      data: { train: source },
      plugins: [freezePolicy(freeze), projectorOnly({ featureCache, ...options.projectorOnly }), watch(), ...together],
      ...(place === undefined ? {} : { processes: place.size }),
      seed: 1,
      training: {
        ...(isEpochs ? { epochs } : { maxSteps: warmup + steps }),
        microBatchSize: shape.batch,
        shuffle: isEpochs,
        learningRate: 1e-3,
        optimizer: { weightDecay: 0.01, decayNormsAndBiases: true, clipNorm: 1 },
        ...options.training,
      },
    }).run();
  const summary = await withModelFolder(size, run, { layers });
  const kept = times.slice(warmup);
  return {
    mode: options.mode,
    size,
    backend: backend.name,
    batch: shape.batch,
    tokens: shape.batch * (shape.imageTokens + shape.textTokens),
    supervised: shape.batch * shape.supervised,
    ...(isEpochs
      ? { steps: times.length, total_s: total / 1e3 }
      : {
          steps: kept.length,
          step_ms_min: Math.min(...kept),
          step_ms_median: median(kept),
          cpu_ms_min: Math.min(...cpu.slice(warmup)),
          cpu_ms_median: median(cpu.slice(warmup)),
        }),
    ...(profile === undefined ? {} : { profile: profile.stop(kept.length) }),
    loss_first: losses[0],
    loss_last: losses.at(-1),
    rss_import_mb: importMegabytes,
    peak_rss_mb: peakMegabytes(),
    peak_tensor_mb: summary.peakTensorBytes / 1e6,
  };
}

/** Float32 GFLOP/s of the product that the shapes M spend most on, 880x576x1536. */
function gemm() {
  const [rows, inner, columns] = [880, 576, 1536];
  const a = tf.randomNormal([rows, inner]);
  const b = tf.randomNormal([columns, inner]);
  const times = [];
  for (let round = 0; round < 60; round += 1) {
    const start = performance.now();
    const product = tf.matMul(a, b, false, true);
    product.dataSync();
    times.push(performance.now() - start);
    product.dispose();
  }
  const flop = 2 * rows * inner * columns;
  return { gflops_max: flop / Math.min(...times) / 1e6, gflops_median: flop / median(times) / 1e6 };
}
