/**
 * How a projector-only step's cost grows: with the batch, the tokens of a sample, the language model's layers, and the
 * share of images whose features are known. One line an axis and mode, and an SVG an axis.
 *
 * npm run bench -- growth [--json] [--axes batch,tokens] [--size S] [--steps 5] [--plots docs/plots] [--backend auto]
 * [--cache-folder <folder>]
 *
 * Each point is a process of its own (`support/peer-thaw.mjs`); its time is the fastest step's, which other programs
 * disturb least. `slope`: milliseconds for one more of the axis, by least squares; `exponent`: of the power law through
 * the points, 1 where twice the work takes twice the time.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runThaw } from "./peer.mjs";
import { fitLine, growthSvg } from "./support/growth-plot.mjs";
import { rounded } from "./support/numbers.mjs";
import { DEFAULT_SHAPE, SIZE_NAMES } from "./support/peer-shapes.mjs";

export const builds = ["models", "core", "backend-gpu", "plugin-freeze-policy", "plugin-projector-only"];

const WARMUP = 2;
const BOTH = { "features computed": "projector", "features cached": "projector_cached" };
const CACHED = { "features cached": "projector_cached" };

/** Points of an axis and what a point changes. */
const AXES = {
  batch: {
    x: "samples in a batch",
    modes: BOTH,
    values: [1, 2, 4, 6, 8],
    at: (batch) => ({ shape: { ...DEFAULT_SHAPE, batch } }),
  },
  tokens: {
    x: "tokens of a sample (196 of them the image's)",
    modes: BOTH,
    values: [220, 320, 420, 620, 820],
    at: (tokens) => ({ shape: { ...DEFAULT_SHAPE, textTokens: tokens - DEFAULT_SHAPE.imageTokens } }),
  },
  layers: { x: "layers of the language model", modes: BOTH, values: [2, 4, 8, 12, 16], at: (layers) => ({ layers }) },
  cached: {
    x: "share of images whose features are known",
    modes: CACHED,
    values: [0, 0.25, 0.5, 0.75, 1],
    at: (knownShare) => ({ shape: { ...DEFAULT_SHAPE, knownShare } }),
  },
};

export async function* run({ arguments: given, log }) {
  const { axes, plots, ...options } = readOptions(given);
  for (const axis of axes) {
    const series = [];
    for (const [name, mode] of Object.entries(AXES[axis].modes)) {
      const points = await measure(AXES[axis], { ...options, mode }, (value, ms) =>
        log(`${axis} ${value}, ${name}: ${ms.toFixed(0)} ms`),
      );
      const line = describe(axis, name, options.size, points);
      series.push({ name: legend(axis, line), points: points.map(({ value, ms }) => [value, ms]) });
      yield line;
    }
    if (plots !== undefined) await draw(plots, axis, series, options.size);
  }
}

async function measure({ values, at }, options, tell) {
  const points = [];
  for (const value of values) {
    const line = await runThaw({ shape: DEFAULT_SHAPE, ...options, ...at(value), warmup: WARMUP });
    points.push({ value, ms: line.step_ms_min, mb: line.peak_tensor_mb, backend: line.backend });
    tell(value, line.step_ms_min);
  }
  return points;
}

function describe(axis, series, size, points) {
  const [time, memory] = ["ms", "mb"].map((key) => fitLine(points.map((point) => [point.value, point[key]])));
  const logs = points.filter(({ value }) => value > 0).map(({ value, ms }) => [Math.log(value), Math.log(ms)]);
  return {
    axis,
    series,
    size,
    backend: points[0].backend,
    values: points.map(({ value }) => value),
    ms: points.map(({ ms }) => rounded(ms)),
    mb: points.map(({ mb }) => Math.round(mb)),
    slopeMs: rounded(time.slope),
    offsetMs: rounded(time.offset),
    slopeMb: rounded(memory.slope),
    ...(axis === "cached" ? {} : { exponent: rounded(fitLine(logs).slope) }),
  };
}

const UNITS = { batch: "a sample", tokens: "a token", layers: "a layer", cached: "from none to all" };

function legend(axis, { series, slopeMs }) {
  return `${series}: ${slopeMs} ms ${UNITS[axis]}`;
}

async function draw(folder, axis, series, size) {
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, `growth-${axis}.svg`),
    growthSvg({ series, title: `Projector-only step, size ${size}`, x: AXES[axis].x, y: "ms per step" }),
  );
}

function readOptions(given) {
  const text = (fallback) => ({ type: "string", default: fallback });
  const { values } = parseArgs({
    args: given,
    options: {
      axes: text(Object.keys(AXES).join(",")),
      size: text("S"),
      steps: text("5"),
      threads: text("2"),
      plots: { type: "string" },
      backend: text("auto"),
      "cache-folder": { type: "string" },
    },
  });
  const axes = values.axes.split(",");
  const unknown = axes.find((axis) => !Object.hasOwn(AXES, axis));
  if (unknown !== undefined)
    throw new Error(
      `The axis ${unknown} is not known. In npm run bench -- growth. Use some of: ${Object.keys(AXES).join(", ")}.`,
    );
  if (!SIZE_NAMES.includes(values.size))
    throw new Error(
      `The size ${values.size} is not known. In npm run bench -- growth. Use one of: ${SIZE_NAMES.join(", ")}.`,
    );
  return {
    axes,
    size: values.size,
    steps: Number(values.steps),
    threads: Number(values.threads),
    plots: values.plots,
    backend: values.backend,
    cacheFolder: values["cache-folder"],
  };
}
