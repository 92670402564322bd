/**
 * Cases of `gpu.mjs` on Thaw, one after the other in one process: `node gpu-thaw.mjs <json>`. Prints a JSON line a
 * case; one that fails prints its error and the next one runs. With `profile` each operation is waited for, so that
 * `kinds` tells its time on the device. Bytes are of tensors, exact; times are from one step's end to the next one's.
 * `gradient_error`: of the projector's first weight, first step, norm of the difference to that of the first case in
 * float32 over its norm.
 * A case is `[mode, precision]` or `[mode, precision, { frozen, isWidened, checkpointing }]`: frozen weights in `int8`
 * or `nf4`, as a checkpoint stores them, or the numbers that these stand for; and `training.activationCheckpointing`.
 * `layers`: of the decoder, instead of the size's own.
 * With `place` it is one of several processes, each with a batch of its own, whose sums `engine` makes; `accumulate`:
 * micro-batches of a step, each with samples of its own; `zeroStage`: what they share out.
 */
import { median } from "./numbers.mjs";
import { DEFAULT_SHAPE, LARGE_SHAPE, syntheticSource, withModelFolder } from "./peer-shapes.mjs";

const MODES = {
  projector: { freeze: { trainMmProjOnly: true }, featureCache: "off" },
  projector_cached: { freeze: { trainMmProjOnly: true }, featureCache: "auto" },
  lora: {
    freeze: { components: { languageModel: { lora: { rank: 16 } }, multiModalProjector: "train" } },
    featureCache: "off",
  },
  all: {
    freeze: { freezeVisionTower: false, freezeMultiModalProjector: false, freezeLanguageModel: false },
    featureCache: "off",
  },
};
/**
 * Matrices larger than this are not read back if they may be weights, which packed have half as many columns: the proof
 * that frozen weights did not move is not part of a step, and takes minutes at a billion.
 */
const READ_ELEMENTS = 1e6;

const options = JSON.parse(process.argv[2]);
const { size, steps, warmup, cases, place, engine, accumulate = 1, zeroStage = 0 } = options;
const shape = { ...(["1B", "7B"].includes(size) ? LARGE_SHAPE : DEFAULT_SHAPE), ...options.shape };
const tf = await import("@tensorflow/tfjs-core");
const { dequantize, layoutOf, quantize, quantizedBytes } = await import("@thaw/autograd");
const { chooseBackend, defaultCacheFolder } = await import("@thaw/backend-gpu");
const { API_VERSION, definePlugin, Trainer } = await import("@thaw/core");
const { openModel } = await import("@thaw/models");
const { freezePolicy } = await import("@thaw/plugin-freeze-policy");
const { lora } = await import("@thaw/plugin-lora");
const { projectorOnly } = await import("@thaw/plugin-projector-only");

const read = tf.Tensor.prototype.data;
/** Shapes of the model's parameters, as text. */
const weightShapes = new Set();
tf.Tensor.prototype.data = function data() {
  const isLeftOut = this.size > READ_ELEMENTS && weightShapes.has(this.shape.join());
  return isLeftOut ? Promise.resolve(new Float32Array(1)) : read.call(this);
};
const block = randomBlock(1 << 20);
/** Gradients of the first case in float32, by mode. */
const references = new Map();

for (const [mode, precision, kept = {}] of cases) {
  const started = performance.now();
  const line = await train(mode, precision, kept).catch((error) => ({
    error: String(process.env.BENCH_STACK ? error.stack : error.message).slice(0, 1500),
  }));
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stdout.write(
    `${JSON.stringify({ side: "thaw", size, mode, precision, ...kept, batch: shape.batch, seconds, ...line })}\n`,
  );
}

async function train(mode, precision, { frozen, isWidened, checkpointing }) {
  const { freeze, featureCache } = MODES[mode];
  const { backend } = await chooseBackend({
    name: options.backend,
    projectFolder: process.cwd(),
    cacheFolder: options.cacheFolder ?? defaultCacheFolder(),
    tensorFloat32: precision !== "float32",
    functions: options.functions ?? true,
    kernels: options.kernels,
  });
  const [times, losses, counts] = [[], [], []];
  // Functions from the first step on, so that its error is theirs.
  const { tensorFunctions } = tf.backend();
  if (tensorFunctions !== undefined) tensorFunctions.patience = 1;
  let last = performance.now();
  let gradientError;
  const watch = definePlugin({
    name: "GpuBench",
    apiVersion: API_VERSION,
    apply({ hooks }) {
      hooks.resolveBackend.tap("GpuBench", () => backend);
      hooks.beforeEpoch.tap("GpuBench", () => {
        if (times.length === 0) last = performance.now();
      });
      // With everything trained, a tap would cost an operation a parameter.
      if (mode.startsWith("projector") && place === undefined)
        hooks.gradients.tap("GpuBench", (gradients, { step }) => {
          if (step === 0)
            gradientError = errorTo(mode, precision, gradients.get("multi_modal_projector.linear_1.weight").dataSync());
          return gradients;
        });
      hooks.afterStep.tap("GpuBench", ({ loss }) => {
        const now = performance.now();
        times.push(now - last);
        last = now;
        losses.push(loss);
        counts.push(profile.lap());
      });
    },
  });
  const profile = countOperations(tf.backend());
  const together =
    place === undefined
      ? []
      : [(await import("@thaw/plugin-processes")).processes(place, { engine, waitSeconds: 300 })];
  const samples = shape.batch * accumulate * (place?.size ?? 1);
  const run = async (folder) =>
    new Trainer({
      model: withFastWeights(await openModel(folder, { initialize: "all", seed: 1 }), frozen, isWidened),
      data: { train: syntheticSource({ size, samples, images: shape.batch, isDecoded: true, ...shape }) },
      plugins: [freezePolicy(freeze), projectorOnly({ featureCache }), lora({ save: false }), watch(), ...together],
      ...(place === undefined ? {} : { processes: place.size }),
      seed: 1,
      training: {
        maxSteps: warmup + steps,
        microBatchSize: shape.batch,
        gradientAccumulationSteps: accumulate,
        shuffle: false,
        learningRate: 1e-3,
        precision,
        ...(checkpointing && { activationCheckpointing: checkpointing }),
        optimizer: { weightDecay: 0.01, decayNormsAndBiases: true, clipNorm: 1, zeroStage },
      },
    }).run();
  try {
    const summary = await withModelFolder(size, run, { layers: options.layers });
    const kept = times.slice(warmup);
    return {
      backend: backend.description,
      steps: kept.length,
      step_ms_min: Math.min(...kept),
      step_ms_median: median(kept),
      loss_first: losses[0],
      loss_last: losses.at(-1),
      losses,
      gradient_error: gradientError,
      peak_mb: summary.peakTensorBytes / 1e6,
      process_mb: process.resourceUsage().maxRSS / 1024,
      ...counts.at(-1),
    };
  } finally {
    profile.stop();
  }
}

function errorTo(mode, precision, gradient) {
  if (precision === "float32" && !references.has(mode)) references.set(mode, gradient.slice());
  const reference = references.get(mode);
  if (reference === undefined) return undefined;
  let [difference, norm] = [0, 0];
  reference.forEach((value, index) => {
    difference += (gradient[index] - value) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference / norm);
}

/**
 * Calls into TensorFlow a step and the time in them, the rest being JavaScript and waiting. Nothing on other backends.
 */
function countOperations(backend) {
  const { binding } = backend;
  if (typeof binding?.executeOp !== "function") return { lap: () => ({}), stop: () => undefined };
  let kinds = new Map();
  const wait = options.profile ? waiter(binding) : undefined;
  const waitMs =
    wait === undefined
      ? 0
      : Math.min(
          ...Array.from({ length: 50 }, () => {
            const from = performance.now();
            wait();
            return performance.now() - from;
          }),
        );
  let uploads = { count: 0, bytes: 0 };
  const executeOp = (name, attributes, inputs, outputs) => {
    const from = performance.now();
    const result = binding.executeOp(name, attributes, inputs, outputs);
    wait?.();
    const kind = wait !== undefined && name.includes("MatMul") ? `${name} [${result[0].shape}]` : name;
    const row = kinds.get(kind) ?? [0, 0];
    row[0] += 1;
    row[1] += performance.now() - from - waitMs;
    kinds.set(kind, row);
    return result;
  };
  const createTensor = (given, dtype, values) => {
    if (dtype === binding.TF_FLOAT) uploads = { count: uploads.count + 1, bytes: uploads.bytes + values.byteLength };
    return binding.createTensor(given, dtype, values);
  };
  backend.binding = Object.create(binding, { executeOp: { value: executeOp }, createTensor: { value: createTensor } });
  return {
    lap() {
      const rows = [...kinds].sort((a, b) => b[1][1] - a[1][1]);
      const total = (index) => rows.reduce((sum, [, row]) => sum + row[index], 0);
      const result = {
        ops: total(0),
        ops_ms: total(1),
        uploads: uploads.count,
        upload_mb: uploads.bytes / 1e6,
        kinds: rows.slice(0, 24).map(([name, [count, ms]]) => [name, count, Math.round(ms * 10) / 10]),
      };
      kinds = new Map();
      uploads = { count: 0, bytes: 0 };
      return result;
    },
    stop() {
      backend.binding = binding;
    },
  };
}

/**
 * Waits for everything before it: operations of one device end in order, so the value of a last small one comes after
 * them.
 */
function waiter(binding) {
  const scalar = binding.createTensor([], binding.TF_FLOAT, Float32Array.of(1));
  return () => {
    const [{ id }] = binding.executeOp(
      "Square",
      [{ name: "T", type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }],
      [scalar],
      1,
    );
    binding.tensorDataSync(id);
    binding.deleteTensor(id);
  };
}

/**
 * The model with weights from one block of random numbers, which takes seconds at a billion where fresh ones take
 * minutes; `frozen`: linear layers of tower and decoder as a checkpoint of that form stores them, or, `isWidened`, the
 * numbers of those.
 */
function withFastWeights(model, frozen, isWidened) {
  const shapes = new Map(model.parameters.map((parameter) => [parameter.name, parameter.shape]));
  for (const [rows, columns] of shapes.values())
    if (columns !== undefined) weightShapes.add(`${rows},${columns}`).add(`${rows},${columns / 2}`);
  const stored = new Map();
  const parameters = model.parameters.map((parameter) => {
    if (frozen === undefined || !isStoredNarrow(parameter)) return parameter;
    const layout = layoutOf(frozen, parameter.shape);
    stored.set(parameter.name, layout);
    if (isWidened) return parameter;
    weightShapes.add(String(quantizedBytes(layout) / 4));
    return { ...parameter, dtype: frozen.toUpperCase(), quantized: layout };
  });
  /** By shape: they are all from one block. */
  const quantized = new Map();
  const narrow = (name, shape) => {
    const key = shape.join();
    if (!quantized.has(key)) quantized.set(key, quantize(frozen, weights(name, shape), shape));
    return quantized.get(key);
  };
  return Object.create(model, {
    parameters: { value: parameters },
    load: {
      value: async function* load(names) {
        for (const name of names)
          yield {
            name,
            ...(stored.has(name) && !isWidened && { quantized: narrow(name, shapes.get(name)) }),
            get values() {
              return stored.has(name) ? dequantize(narrow(name, shapes.get(name))) : weights(name, shapes.get(name));
            },
          };
      },
    },
  });
}

function isStoredNarrow({ name, shape, isLinear }) {
  return isLinear === true && shape.length === 2 && !name.startsWith("multi_modal_projector") && !/embed/.test(name);
}

function weights(name, shape) {
  const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
  if (shape.length === 1 && name.endsWith("bias")) return values;
  if (shape.length === 1 && !name.endsWith("class_embedding")) return values.fill(1);
  const deviation = /embed/.test(name) && !name.includes("patch") ? 0.05 : 0.7 / Math.sqrt(values.length / shape[0]);
  const scaled = block.map((value) => value * deviation);
  for (let start = 0; start < values.length; start += scaled.length)
    values.set(scaled.subarray(0, Math.min(scaled.length, values.length - start)), start);
  return values;
}

/** Normal numbers, Box and Muller. */
function randomBlock(length) {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}
