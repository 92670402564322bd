import "@tensorflow/tfjs-backend-cpu";
import { planReport, Trainer, type Plugin, type TrainerOptions } from "@thaw/core";
import freezePolicy, { type FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import { conformance, runDifference, runTiny, tinyModel, tinyTrainerOptions, withTempFolder } from "@thaw/testing";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TokenRowsOptions } from "./options.js";
import { tokenRows } from "./plugin.js";

let before = 0;
beforeAll(async () => {
  await setBackend("cpu");
});
beforeEach(() => {
  before = memory().numTensors;
});
afterEach(() => {
  expect(memory().numTensors).toBe(before);
});

const FROZEN: FreezePolicyOptions = { freezeLlm: true };
const ROWS = "language_model.embed_tokens.token_rows.4-5_9";
const plugins = (rows: TokenRowsOptions = { tokens: [9, 4, 5, 4] }, freeze = FROZEN): Plugin[] => [
  freezePolicy(freeze),
  tokenRows(rows),
];
const options = (more: Partial<TrainerOptions> = {}, rows?: TokenRowsOptions): TrainerOptions =>
  tinyTrainerOptions({ plugins: plugins(rows), ...more });
const plan = async (rows?: TokenRowsOptions, freeze?: FreezePolicyOptions, tied = false) =>
  new Trainer({ model: tinyModel({ tied }), plugins: plugins(rows, freeze) }).plan();
const trainedOf = async (...given: Parameters<typeof plan>): Promise<readonly string[]> =>
  (await plan(...given)).plan.phases[0]!.entries.filter(({ trainable }) => trainable).map(({ name }) => name);

describe("the plan with token rows", () => {
  it("trains the rows alone, with a reason, in as few segments as use them", async () => {
    const planned = await plan();
    expect(planned.findings).toEqual([]);
    expect(planned.plan.phases[0]!.entries.filter(({ trainable }) => trainable)).toMatchObject([
      { name: ROWS, component: "language_model", reason: { text: "3 rows trained by tokenRows.tokens" } },
    ]);
    expect(planned.parameters.find(({ name }) => name === ROWS)).toMatchObject({ shape: [3, 4] });
    expect(planReport(planned).components.map(({ name, state, flows }) => [name, state, flows])).toEqual([
      ["vision_tower", "frozen", ["prefix"]],
      ["multi_modal_projector", "frozen", ["prefix"]],
      ["language_model", "adapter", ["trained", "through"]],
    ]);
  });

  it("takes the output layer's rows if asked, and has them anyway where it is tied", async () => {
    expect(await trainedOf({ tokens: [1], outputLayer: true })).toEqual([
      "language_model.embed_tokens.token_rows.1",
      "lm_head.token_rows.1",
    ]);
    expect(await trainedOf({ tokens: [1], outputLayer: true }, FROZEN, true)).toEqual([
      "language_model.embed_tokens.token_rows.1",
    ]);
    const tied = planReport(await plan({ tokens: [1] }, FROZEN, true));
    expect(tied.components.at(-1)!.flows).toEqual(["trained", "through"]);
  });

  it("names many rows by a hash, so that other tokens have another name", async () => {
    const many = Array.from({ length: 300 }, (_, index) => 2 * index);
    const names = await Promise.all(
      [many, many.slice(1)].map(async (tokens) => {
        const model = tinyModel();
        const wide = {
          ...model,
          text: { ...model.text, vocabularySize: 1000 },
          parameters: model.parameters.map((one) =>
            one.name.endsWith("embed_tokens.weight") ? { ...one, shape: [1000, 4] } : one,
          ),
        };
        const { parameters } = await new Trainer({ model: wide, plugins: plugins({ tokens }) }).plan();
        return parameters.at(-1)!.name;
      }),
    );
    expect(names[0]).toMatch(/token_rows\.[0-9a-f]{12}$/);
    expect(names[0]).not.toBe(names[1]);
  });

  it("changes nothing without tokens", async () => {
    expect((await plan({})).parameters).toEqual(
      (await new Trainer({ model: tinyModel(), plugins: [freezePolicy(FROZEN)] }).plan()).parameters,
    );
  });

  it("keeps the rows training where the component trains later, but not together with the whole", async () => {
    const scheduled = await plan(undefined, {
      freezeMultiModalProjector: false,
      components: { language_model: { match: ["layers.1"], unfreezeAtStep: 3 } },
    });
    expect(scheduled.findings).toEqual([]);
    expect(scheduled.plan.phases.map(({ entries }) => entries.find(({ name }) => name === ROWS)!.trainable)).toEqual([
      true,
      true,
    ]);
    const both = await plan(undefined, { freezeLlm: false });
    expect(both.findings).toMatchObject([
      {
        rule: "token-rows-and-full",
        severity: "error",
        message: expect.stringContaining("language_model.embed_tokens.weight") as string,
      },
    ]);
  });

  it("reports ids behind the last row, and names without a tokenizer", async () => {
    expect((await plan({ tokens: [12, 13] })).findings).toMatchObject([
      { rule: "selector-matches-nothing", message: "13 in tokenRows is not a row of the embedding, which has 13." },
    ]);
    expect((await plan({ tokens: ["<box>"] })).findings).toMatchObject([
      { rule: "selector-matches-nothing", message: expect.stringContaining("no tokenizer.json") as string },
    ]);
  });
});

describe("a run with token rows", () => {
  it("starts as the base, lowers the loss and moves nothing else", async () => {
    const run = await runTiny(options({ training: { maxSteps: 12, learningRate: 0.05, microBatchSize: 4 } }));
    const base = await runTiny(
      tinyTrainerOptions({
        plugins: [freezePolicy({ freezeMultiModalProjector: false })],
        training: { maxSteps: 1, microBatchSize: 4 },
      }),
    );
    expect(run.losses[0]).toBeCloseTo(base.losses[0]!, 6);
    expect(run.losses.at(-1)).toBeLessThan(run.losses[0]!);
  });

  it("resumes as if it had never stopped", async () => {
    const whole = await runTiny(options());
    await withTempFolder(async (output) => {
      const first = await runTiny(options({ output }), 2);
      const from = join(output, (await readdir(output))[0]!);
      const rest = await runTiny(options({ output, resume: { from } }));
      expect(runDifference(whole, { ...rest, losses: [...first.losses, ...rest.losses] })).toBe(0);
    });
  });

  it("begins with the mean of the other rows if asked", async () => {
    const session = await new Trainer({
      model: tinyModel(),
      plugins: plugins({ tokens: [4, 5, 9], initialize: "mean" }),
    }).open();
    const [rows, whole] = [
      await session.readParameter(ROWS),
      await session.readParameter("language_model.embed_tokens.weight"),
    ];
    const others = Array.from({ length: 13 }, (_, row) => row).filter((row) => ![4, 5, 9].includes(row));
    for (const [index, value] of rows.entries())
      expect(value).toBeCloseTo(
        others.reduce((sum, row) => sum + whole[4 * row + (index % 4)]! / 10, 0),
        6,
      );
    await session.close();
  });
});

describe("conformance", () => {
  const checks = [
    ...conformance(() => tokenRows({ tokens: [4, 6] }), {
      trainer: () => ({ plugins: [freezePolicy({ ...FROZEN, freezeMultiModalProjector: false })] }),
    }),
    ...conformance(() => tokenRows()),
  ];
  it.each(
    checks.map((check, index) => [check.name, index < checks.length / 2 ? "with tokens" : "without", check] as const),
  )("%s, %s", async (_name, _how, check) => {
    await check.run();
  });
});
