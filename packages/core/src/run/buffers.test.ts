import { join } from "node:path";
import { openSafetensors } from "@thaw/safetensors";
import { describe, expect, it } from "vitest";
import { toyModel } from "../toy/toy-model.js";
import { runToy, tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";
import { planReport } from "../plan/plan-report.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

const model = toyModel({ hasBuffer: true });
const NAME = "tower.gain";

describe("a buffer", () => {
  it("is computed with and proven unchanged, and stays out of plan, optimizer and files of what trained", async () => {
    const slots: string[] = [];
    const { summary, losses } = await runToy({
      model,
      output,
      plugins: [
        tapped("Watch", ({ hooks }) => {
          hooks.gradients.tap("Watch", (gradients) => {
            slots.push(...gradients.keys());
            return gradients;
          });
        }),
      ],
    });
    expect(losses).not.toEqual((await runToy()).losses);
    expect(slots).toContain("tower.linear.weight");
    expect(slots).not.toContain(NAME);
    expect(summary.components[0]).toMatchObject({ name: "tower", trainable: 19, frozen: 0 });
    expect(summary.frozenProof).toMatchObject([{ component: "buffers", parameterCount: 1, isUnchanged: true }]);
    const trained = await openSafetensors(join(summary.runFolder!, "final", "trained.safetensors"));
    await trained.close();
    expect([...trained.entries.keys()]).not.toContain(NAME);
  });

  it("stands beside the frozen components in the proof, through every phase", async () => {
    const { summary } = await runToy({ model, plugins: [trainOnly([0, ["projector"]], [2, ["decoder"]])] });
    expect(summary.frozenProof.map(({ component, parameterCount }) => [component, parameterCount])).toEqual([
      ["tower", 3],
      ["decoder", 5],
      ["buffers", 1],
      ["projector", 2],
    ]);
  });

  it("is not a parameter of the plan, and an error in a plan that lists it", async () => {
    const planned = await toyTrainer({ model }).plan();
    expect(planned.findings).toEqual([]);
    const report = planReport(planned);
    expect(report.parameters.map(({ name }) => name)).not.toContain(NAME);
    expect(report.components[0]).toMatchObject({ name: "tower", parameterCount: 19 });
    const entry = { name: NAME, component: "tower", trainable: false, group: "tower" };
    const listing = tapped("Listing", ({ hooks }) => {
      hooks.plan.tap("Listing", ({ phases: [phase] }) => ({
        phases: [
          {
            ...phase!,
            entries: [...phase!.entries, { ...entry, reason: { text: "frozen by the test", settings: [] } }],
          },
        ],
      }));
    });
    expect((await toyTrainer({ model, plugins: [listing] }).plan()).findings).toMatchObject([
      {
        rule: "plan-incomplete",
        message: "The plan lists tower.gain: buffers, which the model stores and nothing trains.",
      },
    ]);
  });

  it("is part of what a checkpoint stands on: a resumed run is the same, another buffer is refused", async () => {
    const stop = tapped("Stop", (trainer) => {
      trainer.hooks.afterStep.tap("Stop", ({ step }) => {
        if (step === 1) trainer.stop("the test");
      });
    });
    const whole = await runToy({ model });
    const { summary } = await runToy({ model, output, plugins: [stop] });
    const resume = { from: summary.runFolder! };
    const other = {
      ...model,
      async *load(names: readonly string[]) {
        for await (const { name, values } of model.load(names))
          yield { name, values: name === NAME ? values.map((value) => value + 1) : values };
      },
    };
    await expect(toyTrainer({ model: other, output, resume }).run()).rejects.toMatchObject({
      code: "THAW_CORE_BASE_CHANGED",
    });
    const rest = await runToy({ model, output, resume });
    expect(rest.losses).toEqual(whole.losses.slice(2));
    expect(rest.parameters).toEqual(whole.parameters);
  });

  it("is read by a session, counts in the fingerprint of its segment, and is saved as it was loaded", async () => {
    const saved = new Map<string, Float32Array>();
    const saving = {
      ...model,
      async save(_: string, values: (name: string) => Promise<Float32Array>) {
        for (const { name } of [...model.parameters, ...model.buffers!]) saved.set(name, await values(name));
      },
    };
    const session = await toyTrainer({ model: saving }).open();
    await session.save("nowhere");
    expect(saved.get(NAME)).toEqual(await session.readParameter(NAME));
    expect(saved.size).toBe(11);
    await session.close();
  });
});
