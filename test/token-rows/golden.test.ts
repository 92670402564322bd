import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { backendGpu } from "@thaw/backend-gpu";
import { Trainer, type BatchSource, type Session, type TrainerOptions } from "@thaw/core";
import { openModel } from "@thaw/models";
import conflictChecker from "@thaw/plugin-conflict-checker";
import freezePolicy from "@thaw/plugin-freeze-policy";
import tokenRows, { type TokenRowsOptions } from "@thaw/plugin-token-rows";
import { withTempFolder } from "@thaw/testing";
import { clone, keep, memory, type Tensor } from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { maxAbsolute, maxDifference } from "../parity/compare.mjs";
import { onlyBatch, openGolden } from "../parity/golden.mjs";

type Backend = "cpu" | "wasm";
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
/** `tied`: the output layer is the embedding, so its gradient is the sum of both uses. */
const MODELS = [
  { folder: fixture("goldens/llava"), isTied: false },
  { folder: fixture("llava_options"), isTied: true },
] as const;
const BACKENDS: readonly Backend[] = ["cpu", "wasm"];

async function trainerOf(folder: string, backend: Backend, rows: TokenRowsOptions, more: Partial<TrainerOptions> = {}) {
  const golden = await openGolden(folder);
  const trainer = new Trainer({
    model: await openModel(folder),
    data: { train: onlyBatch(golden.batch) as BatchSource },
    plugins: [backendGpu(backend), freezePolicy({ freezeLlm: true }), tokenRows(rows)],
    seed: 3,
    ...more,
    training: {
      maxSteps: 1,
      microBatchSize: golden.batch.batchSize,
      shuffle: false,
      learningRate: 0.05,
      schedule: { type: "constant" },
      ...more.training,
    },
  });
  return { golden, trainer };
}

/** Two ids of the batch's text, one that appears in no row, and a token by name. */
async function tokensOf(folder: string): Promise<(string | number)[]> {
  const { batch, reader } = await openGolden(folder);
  await reader.close();
  const used = new Set(batch.tokenIds);
  const absent = Array.from({ length: 330 }, (_, id) => id).find((id) => id > 10 && !used.has(id))!;
  const labels = [...new Set(batch.labels)].filter((id) => id > 2 && id !== 319);
  return [labels[0]!, labels[1]!, absent, "▁A"];
}

async function gradientsOf(trainer: Trainer): Promise<ReadonlyMap<string, Float32Array>> {
  const kept = new Map<string, Tensor>();
  trainer.hooks.gradients.tap("Probe", (given) => {
    for (const [name, tensor] of given) kept.set(name, keep(clone(tensor)));
    return given;
  });
  const values = new Map<string, Float32Array>();
  trainer.hooks.afterStep.tapPromise("Probe", async () => {
    for (const [name, tensor] of kept) {
      values.set(name, (await tensor.data<"float32">()).slice());
      tensor.dispose();
    }
    kept.clear();
  });
  await trainer.run();
  return values;
}

const rowOf = (matrix: Float32Array, id: number, hidden: number): Float32Array =>
  matrix.slice(id * hidden, (id + 1) * hidden);

describe.each(MODELS.flatMap((model) => BACKENDS.map((backend) => ({ ...model, backend }))))(
  "token rows, tied: $isTied, on $backend",
  ({ folder, isTied, backend }) => {
    it.each(["off", "on"] as const)(
      "get PyTorch's gradient of these rows, with blocks computed again %s",
      async (activationCheckpointing) => {
        const { golden, trainer } = await trainerOf(
          folder,
          backend,
          { tokens: await tokensOf(folder), outputLayer: true },
          { training: { activationCheckpointing } },
        );
        const gradients = await gradientsOf(trainer);
        expect(gradients.size).toBe(isTied ? 1 : 2);
        const { model } = trainer.options;
        const hidden = model.text.hiddenSize;
        for (const [name, got] of gradients) {
          const [module, list] = name.split(".token_rows.") as [string, string];
          const ids = list.split("_").flatMap((range) => {
            const [first, last = first] = range.split("-").map(Number) as [number, number?];
            return Array.from({ length: last! - first + 1 }, (_, index) => first + index);
          });
          expect(ids).toHaveLength(4);
          const whole = await golden.reader.readFloat32(`grad.${module}.weight`);
          for (const [index, id] of ids.entries()) {
            expect(
              maxDifference(rowOf(got, index, hidden), rowOf(whole, id, hidden)),
              `${name} ${id}`,
            ).toBeLessThanOrEqual(1e-3 * maxAbsolute(whole) + 1e-6);
          }
        }
        expect([...gradients.values()].every((values) => maxAbsolute(values) > 0)).toBe(true);
        await golden.reader.close();
      },
    );

    it("train, prove the embedding untouched, and export what evaluates and generates alike", async () => {
      const before = memory().numTensors;
      const { golden, trainer } = await trainerOf(
        folder,
        backend,
        { tokens: await tokensOf(folder), outputLayer: true },
        { training: { maxSteps: 6 } },
      );
      await golden.reader.close();
      const evaluate = async (session: Session) => ({
        loss: (await session.loss(golden.batch)).lossSum,
        text: await session.generate(golden.batch, { maxNewTokens: 4 }),
      });
      await withTempFolder(async (output) => {
        const target = join(output, "merged");
        let here: Awaited<ReturnType<typeof evaluate>> | undefined;
        const run = new Trainer({
          ...trainer.options,
          output: join(output, "runs"),
          evaluators: [
            {
              name: "after",
              atStart: false,
              evaluate: async (session) => {
                here = await evaluate(session);
                await session.save(target);
                return {};
              },
            },
          ],
        });
        const losses: number[] = [];
        run.hooks.afterStep.tap("Test", ({ loss }) => {
          losses.push(loss);
        });
        const summary = await run.run();
        expect(losses.at(-1)).toBeLessThan(losses[0]!);
        expect(summary.frozenProof.every(({ isUnchanged }) => isUnchanged)).toBe(true);
        expect(summary.frozenProof.map(({ component }) => component)).toContain("language_model");
        const alone = new Trainer({
          model: await openModel(target),
          plugins: [backendGpu(backend), freezePolicy({ freezeMultiModalProjector: false })],
        });
        const session = await alone.open();
        const there = await evaluate(session);
        expect(there.loss).toBeCloseTo(here!.loss, 4);
        expect(there.text).toEqual(here!.text);
        // The run's trained parameters put into a session of the same plan
        const again = await new Trainer(trainer.options).open();
        const base = await evaluate(again);
        await again.loadParameters(join(summary.runFolder!, "final", "trained.safetensors"));
        expect((await evaluate(again)).loss).toBeCloseTo(here!.loss, 4);
        expect(base.loss).toBeGreaterThan(here!.loss);
        await session.close();
        await again.close();
      });
      expect(memory().numTensors).toBe(before);
    });
  },
);

it("reports a token that the tokenizer does not have, with near ones", async () => {
  const { golden, trainer } = await trainerOf(MODELS[0].folder, "cpu", { tokens: ["<imag>", 319] });
  await golden.reader.close();
  expect((await trainer.plan()).findings).toMatchObject([
    {
      rule: "selector-matches-nothing",
      message: "`<imag>` in tokenRows is not a token of this model.",
      fix: expect.stringContaining("`<image>`") as string,
    },
  ]);
});

it("give added tokens a meaning: no warning about a frozen embedding", async () => {
  const settings = [{ path: "data.added_tokens", value: ["<image>"], origin: "explicit" }] as const;
  const rulesOf = async (rows: TokenRowsOptions): Promise<readonly string[]> => {
    const plugins = [
      freezePolicy({ freezeLlm: true, freezeMultiModalProjector: false }),
      tokenRows(rows),
      conflictChecker(),
    ];
    return (await new Trainer({ model: await openModel(MODELS[0].folder), settings, plugins }).plan()).findings.map(
      ({ rule }) => rule,
    );
  };
  expect(await rulesOf({})).toEqual(["new-tokens-with-frozen-embeddings"]);
  expect(await rulesOf({ tokens: ["<image>"] })).toEqual([]);
});

it("begins with an embedding that an earlier run trained", async () => {
  await withTempFolder(async (output) => {
    const { golden, trainer } = await trainerOf(
      MODELS[0].folder,
      "cpu",
      {},
      {
        plugins: [backendGpu("cpu"), freezePolicy({ components: { language_model: { match: "embed_tokens" } } })],
        output,
      },
    );
    await golden.reader.close();
    const { runFolder } = await trainer.run();
    const startFrom = join(runFolder!, "final", "trained.safetensors");
    const second = await trainerOf(MODELS[0].folder, "cpu", { tokens: [319] }, { startFrom });
    await second.golden.reader.close();
    const session = await second.trainer.open();
    const whole = await session.readParameter("language_model.model.embed_tokens.weight");
    expect(await session.readParameter("language_model.model.embed_tokens.token_rows.319")).toEqual(
      rowOf(whole, 319, 32),
    );
    await session.close();
  });
});
