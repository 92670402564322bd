import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import {
  API_VERSION,
  definePlugin,
  memoryEnsembles,
  silentLogger,
  Trainer,
  type BatchSource,
  type Ensemble,
  type Logger,
  type Plugin,
  type RunSummary,
  type TrainerOptions,
} from "@thaw/core";
import freezePolicy from "@thaw/plugin-freeze-policy";
import {
  conformance,
  runDifference,
  runTiny,
  tinyModel,
  tinySource,
  tinyTrainerOptions,
  withoutLeak,
  withTempFolder,
} from "@thaw/testing";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { projectorOnly } from "./index.js";

beforeAll(async () => {
  await setBackend("cpu");
});

/** Three epochs over 6 samples with 4 images, trained on the projector alone. */
function options(plugins: readonly Plugin[], more: Partial<TrainerOptions> = {}): TrainerOptions {
  const { data, training, ...rest } = more;
  return tinyTrainerOptions({
    ...rest,
    data: data ?? { train: tinySource({ sampleCount: 6, imageCount: 4 }) },
    training: { maxSteps: undefined, epochs: 3, evaluateEverySteps: undefined, ...training },
    plugins: [freezePolicy({ trainMmProjOnly: true }), ...plugins],
  });
}

/** Keeps the summary and what was logged. */
function observed(more: Partial<TrainerOptions> = {}): {
  readonly options: Partial<TrainerOptions>;
  readonly summary: () => RunSummary;
  readonly logs: string[];
} {
  let summary: RunSummary | undefined;
  const logs: string[] = [];
  const log = (first: object | string, second?: string): void =>
    void logs.push(typeof first === "string" ? first : (second ?? ""));
  const logger: Logger = { ...silentLogger, info: log, warn: log };
  const observer: Plugin = {
    name: "Observer",
    apiVersion: 1,
    apply: (trainer) => trainer.hooks.done.tap({ name: "Observer", stage: 1000 }, (given) => void (summary = given)),
  };
  return { options: { ...more, logger, plugins: [observer] }, summary: () => summary!, logs };
}

async function trained(plugins: readonly Plugin[], more: Partial<TrainerOptions> = {}) {
  const { plugins: added = [], ...rest } = more;
  return withoutLeak(() => runTiny(options([...plugins, ...(added as Plugin[])], rest)));
}

describe("the feature cache", () => {
  it("changes no loss and no parameter, and decodes each image once", async () => {
    const plainSource = tinySource({ sampleCount: 6, imageCount: 4 });
    const plain = await trained([], { data: { train: plainSource } });
    expect(plainSource.loadCount).toBe(3 * 6);
    for (const featureCache of ["on", "auto"] as const) {
      const source = tinySource({ sampleCount: 6, imageCount: 4 });
      const cached = await trained([projectorOnly({ featureCache })], { data: { train: source } });
      expect(runDifference(plain, cached)).toBeLessThan(1e-6);
      // One image more than once: the self-test recomputes one of the first batch.
      expect([...source.loads.values()].toSorted((a, b) => a - b)).toEqual([1, 1, 1, 2]);
    }
  });

  it("works the same with text-only samples, other micro-batch sizes and evaluation", async () => {
    const data = () => ({
      train: tinySource({ sampleCount: 7, textOnlyEvery: 3 }),
      evaluation: { held: tinySource({ name: "held", seed: 2, sampleCount: 3 }) },
    });
    for (const microBatchSize of [1, 3, 7]) {
      const training = { microBatchSize, evaluateEverySteps: 1 };
      const plain = await trained([], { data: data(), training });
      const sources = data();
      const cached = await trained([projectorOnly()], { data: sources, training });
      expect(runDifference(plain, cached)).toBeLessThan(1e-6);
      expect(sources.evaluation.held.loadCount).toBeLessThanOrEqual(4);
    }
  });

  it("reports hits, misses, bytes and time in metrics and summary", async () => {
    await withTempFolder(async (output) => {
      const { options: more, summary, logs } = observed({ output });
      await trained([projectorOnly()], more);
      const { numbers, lines, runFolder } = summary();
      expect(numbers).toMatchObject({ featureCacheHits: 14, featureCacheMisses: 4, featureCacheBytes: 4 * 4 * 3 * 4 });
      expect(numbers.featureCacheSavedMs).toBeGreaterThan(0);
      expect(
        lines.find((line) => line.startsWith("Feature cache: vision_tower ran for 4 of 18 images (192 B in memory)")),
      ).toBeDefined();
      expect(logs.join()).toContain("fits into");
      const metrics = await readFile(join(runFolder!, "metrics.jsonl"), "utf8");
      expect(metrics).toContain('"featureCacheHits":14');
    });
  });

  it("computes each image once in all processes that train together", async () => {
    await withTempFolder(async (folder) => {
      const data = () => ({ train: tinySource({ sampleCount: 8 }) });
      const run = async (ensemble: Ensemble) => {
        const { options: more, summary } = observed({ data: data() });
        const connect = definePlugin({
          name: "Connect",
          apiVersion: API_VERSION,
          apply: ({ hooks }) => hooks.resolveEnsemble.tap("Connect", () => ensemble),
        })();
        const plugins = [projectorOnly({ featureCache: { disk: folder } }), connect, ...(more.plugins as Plugin[])];
        const result = await runTiny(options(plugins, { ...more, processes: 2, training: { microBatchSize: 2 } }));
        return { result, misses: summary().numbers.featureCacheMisses!, hits: summary().numbers.featureCacheHits! };
      };
      const ranks = await Promise.all(memoryEnsembles(2).map(run));
      expect(ranks.reduce((sum, { misses }) => sum + misses, 0)).toBe(8);
      expect(ranks.reduce((sum, { misses, hits }) => sum + misses + hits, 0)).toBe(3 * 8);
      const plain = await trained([], { data: data(), training: { microBatchSize: 4 } });
      for (const { result } of ranks) expect(runDifference(plain, result)).toBeLessThan(1e-4);
    });
  });

  it("shares features on disk between runs, which then decode one image, to test them", async () => {
    await withTempFolder(async (folder) => {
      const plain = await trained([]);
      const plugin = () => projectorOnly({ featureCache: { disk: folder } });
      await trained([plugin()]);
      const source = tinySource({ sampleCount: 6, imageCount: 4 });
      const { options: more, summary } = observed({ data: { train: source } });
      const second = await trained([plugin()], more);
      expect(runDifference(plain, second)).toBeLessThan(1e-6);
      expect(source.loadCount).toBe(1);
      expect(summary().numbers.featureCacheMisses).toBe(0);
      // Another tower finds nothing of it.
      const other = tinySource({ sampleCount: 6, imageCount: 4 });
      await trained([plugin()], { model: tinyModel({ seed: 5 }), data: { train: other } });
      expect(other.loadCount).toBe(5);
      expect((await readdir(folder)).length).toBe(2);
    });
  });

  it("turns itself off where what is on disk is not what the tower makes, and stays right", async () => {
    await withTempFolder(async (folder) => {
      const plugin = () => projectorOnly({ featureCache: { disk: folder } });
      await trained([plugin()]);
      const [store] = await readdir(folder);
      // Swap the keys of two entries: sound bytes, wrong features.
      const index = join(
        folder,
        store!,
        (await readdir(join(folder, store!))).find((name) => name.endsWith(".index"))!,
      );
      const entries = (await readFile(index, "utf8"))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { key: string });
      await writeFile(
        index,
        entries
          .map(
            (entry, position) =>
              `${JSON.stringify({ ...entry, key: entries[(position + 1) % entries.length]!.key })}\n`,
          )
          .join(""),
      );
      const { options: more, summary, logs } = observed();
      const run = await trained([plugin()], more);
      expect(runDifference(await trained([]), run)).toBeLessThan(1e-6);
      expect(
        logs.find((line) => line.includes("The feature cache of vision_tower is off: the features in")),
      ).toBeDefined();
      expect(summary().lines.join()).toContain("differ");
    });
  });

  it("goes on without disk where the folder cannot be made, with a warning", async () => {
    await withTempFolder(async (folder) => {
      await writeFile(join(folder, "file"), "");
      const { options: more, logs } = observed();
      await trained([projectorOnly({ featureCache: { disk: join(folder, "file", "cache") } })], more);
      expect(logs.find((line) => line.includes("writes nothing more to disk"))).toBeDefined();
    });
  });

  it("keeps within its memory, and says which share fits", async () => {
    await withTempFolder(async (folder) => {
      // A folder that is not a folder: no disk, so that memory alone decides.
      await mkdir(join(folder, "d"));
      const { options: more, summary } = observed();
      await trained([projectorOnly({ featureCache: { memory: 100 } })], more);
      expect(summary().numbers.featureCacheBytes).toBeLessThanOrEqual(100);
      expect(summary().lines.join()).toContain("stay in memory and the others are computed each time");
    });
  });

  it("is dropped where the tower begins to train, and the run is as without it", async () => {
    const unfreeze: Plugin = {
      name: "Unfreeze",
      apiVersion: 1,
      claims: { writes: ["plan"] },
      apply: (trainer) =>
        trainer.hooks.plan.tap({ name: "Unfreeze", stage: 50 }, (plan) => ({
          phases: [
            ...plan.phases,
            { fromStep: 3, entries: plan.phases[0]!.entries.map((entry) => ({ ...entry, trainable: true })) },
          ],
        })),
    };
    const training = { maxSteps: 5, epochs: undefined };
    const plain = await trained([unfreeze], { training });
    const { options: more, summary } = observed({ training });
    const cached = await trained([unfreeze, projectorOnly({ featureCache: "on" })], more);
    expect(runDifference(plain, cached)).toBeLessThan(1e-6);
    expect(summary().lines.join()).toContain("was dropped, because it trains from step 3 on");
    expect(
      summary()
        .findings.filter(({ rule }) => rule === "cache-with-trainable-tower")
        .map(({ severity }) => severity),
    ).toEqual(["note"]);
  });

  it("serves sessions: evaluation and generation", async () => {
    const source = tinySource({ sampleCount: 2 });
    const tensors = memory().numTensors;
    const session = await new Trainer(options([projectorOnly()])).open();
    for await (const batch of source.batches({ epoch: 0, seed: 1, microBatchSize: 2, shuffle: false })) {
      const first = await session.loss(batch);
      expect(await session.loss(batch)).toEqual(first);
      await session.generate(batch, { maxNewTokens: 2 });
    }
    await session.close();
    expect(source.loadCount).toBe(3);
    expect(memory().numTensors).toBe(tensors);
  });

  it("passes on what a broken image says", async () => {
    const train = tinySource({ sampleCount: 2 });
    const broken = {
      ...train,
      async *batches(request: Parameters<typeof train.batches>[0]) {
        for await (const batch of train.batches(request)) {
          yield {
            ...batch,
            media: batch.media.map((item) => ({
              ...item,
              load: () => Promise.reject(new Error("image 3.png is broken")),
            })),
          };
        }
      },
    };
    const tensors = memory().numTensors;
    await expect(runTiny(options([projectorOnly()], { data: { train: broken } }))).rejects.toThrow(
      "image 3.png is broken",
    );
    expect(memory().numTensors).toBe(tensors);
  });
});

describe("rules", () => {
  const rulesOf = async (plugins: readonly Plugin[], source: BatchSource = tinySource()): Promise<string[]> => {
    const plan = await new Trainer(tinyTrainerOptions({ data: { train: source }, plugins })).plan();
    return plan.findings
      .map(({ rule, severity }) => `${severity} ${rule}`)
      .filter((text) => /cache-|projector-only/.test(text));
  };
  const projectorAlone = () => freezePolicy({ trainMmProjOnly: true });
  it.each([
    ["cache on, tower frozen", () => [projectorAlone(), projectorOnly({ featureCache: "on" })], {}, []],
    [
      "cache on, projector and language model trained",
      () => [freezePolicy({ freezeMultiModalProjector: false }), projectorOnly({ featureCache: "on" })],
      {},
      [],
    ],
    [
      "cache on, tower trained",
      () => [freezePolicy({ freezeVisionTower: false }), projectorOnly({ featureCache: "on" })],
      {},
      ["error cache-with-trainable-tower"],
    ],
    ["cache auto, tower trained", () => [freezePolicy({ freezeVisionTower: false }), projectorOnly()], {}, []],
    [
      "cache on, random crop",
      () => [projectorAlone(), projectorOnly({ featureCache: "on" })],
      { augmentations: ["crop"] },
      ["error cache-with-random-augmentation"],
    ],
    [
      "cache on, random crop with views",
      () => [projectorAlone(), projectorOnly({ featureCache: "on" })],
      { augmentations: ["crop"], views: 2 },
      [],
    ],
    ["cache auto, random crop", () => [projectorAlone(), projectorOnly()], { augmentations: ["crop"] }, []],
    ["required, projector alone", () => [projectorAlone(), projectorOnly({ required: true })], {}, []],
    [
      "required, language model too",
      () => [freezePolicy({ freezeMultiModalProjector: false }), projectorOnly({ required: true })],
      {},
      ["error projector-only-with-others-trained"],
    ],
    [
      "many samples without image",
      () => [projectorAlone(), projectorOnly()],
      { textOnlyEvery: 2 },
      ["warning projector-only-without-images"],
    ],
    [
      "no sample with an image",
      () => [projectorAlone(), projectorOnly()],
      { textOnlyEvery: 1 },
      ["error projector-only-without-images"],
    ],
    ["few samples without image", () => [projectorAlone(), projectorOnly()], { textOnlyEvery: 8 }, []],
  ] as const)("%s", async (_, plugins, source, expected) => {
    const { views, ...given } = source as { readonly views?: number };
    expect(await rulesOf(plugins(), { ...tinySource(given), ...(views === undefined ? {} : { views }) })).toEqual(
      expected,
    );
  });
  it("name the setting as it was spelt", async () => {
    const settings = [
      { path: "projector_only.feature_cache", value: "on", origin: "explicit", file: "thaw.yaml", line: 4 },
    ] as const;
    const plan = await new Trainer(
      tinyTrainerOptions({
        plugins: [freezePolicy({ freezeVisionTower: false }), projectorOnly({ featureCache: "on" }, settings)],
      }),
    ).plan();
    const finding = plan.findings.find(({ rule }) => rule === "cache-with-trainable-tower")!;
    expect(finding.fix).toBe("Set projector_only.feature_cache to auto, or freeze vision_tower.");
    expect(finding.settings.map(({ path }) => path)).toEqual([
      "projector_only.feature_cache",
      "freeze.freezeVisionTower",
    ]);
  });
});

/** A source whose images have so many pictures, by turns: each has its own key and its own values. */
function viewedSource(views: number | undefined, sampleCount = 4): BatchSource & { readonly loadCount: number } {
  const inner = tinySource({ sampleCount, augmentations: ["crop"] });
  return {
    ...inner,
    ...(views === undefined ? {} : { views }),
    get loadCount() {
      return inner.loadCount;
    },
    async *batches(request) {
      const view = request.epoch % (views ?? Infinity);
      for await (const batch of inner.batches(request)) {
        const media = batch.media.map((item) => ({
          ...item,
          contentKey: `${item.contentKey} ${view}`,
          load: async () => ({ pixelValues: (await item.load()).pixelValues!.map((value) => value + view) }),
        }));
        yield { ...batch, media };
      }
    },
  };
}

describe("images with a number of views", () => {
  it("are cached from the epoch on in which they come again, and the tower goes then", async () => {
    const training = { epochs: 5, microBatchSize: 2, gradientAccumulationSteps: 1 };
    const plain = await trained([], { data: { train: viewedSource(2) }, training });
    for (const featureCache of ["on", "auto"] as const) {
      const train = viewedSource(2);
      const { options: more, summary, logs } = observed({ data: { train }, training });
      expect(runDifference(plain, await trained([projectorOnly({ featureCache })], more))).toBeLessThan(1e-6);
      // Eight pictures, and one more for the self-test.
      expect(train.loadCount).toBe(9);
      expect(summary().numbers).toMatchObject({ featureCacheHits: 12, featureCacheMisses: 8 });
      expect(summary().numbers.releasedBytes).toBeGreaterThan(0);
      expect(logs.join()).toContain("8 images of");
    }
  });

  it("keep their order in a resumed run", async () => {
    await withTempFolder(async (output) => {
      const run = (more: Partial<TrainerOptions>, stopAfterStep?: number) =>
        runTiny(
          options([projectorOnly()], {
            data: { train: viewedSource(3) },
            training: { epochs: 5, microBatchSize: 2, gradientAccumulationSteps: 1 },
            output,
            ...more,
          }),
          stopAfterStep,
        );
      const whole = await run({});
      const first = await run({}, 4);
      // Folders are named by their time: the last one is the run that was stopped.
      const from = join(output, (await readdir(output)).toSorted().at(-1)!);
      const second = await run({ resume: { from } });
      expect([...first.losses, ...second.losses]).toEqual(whole.losses);
      expect(second.parameters).toEqual(whole.parameters);
    });
  });
});

describe("augmented images", () => {
  it("are not cached while training, in auto mode", async () => {
    const train = tinySource({ sampleCount: 4, augmentations: ["crop"] });
    const { options: more, summary } = observed({ data: { train } });
    await trained([projectorOnly()], more);
    expect(train.loadCount).toBe(12);
    expect(summary().lines.join()).toContain("change at random (crop)");
  });
});

describe("conformance", () => {
  for (const { name, run } of conformance(() => projectorOnly(), {
    trainer: () => ({ plugins: [freezePolicy({ trainMmProjOnly: true })] }),
  }))
    it(name, run);
});
