import { describe, expect, it } from "vitest";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, toyTrainer } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";
import type { TrainerOptions } from "../api/trainer-options.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

/** Measures 9, 7, 8, 6, 7, 7, 5 ... at steps 0, 1, 2 ... */
const SCORES = [9, 7, 8, 6, 7, 7, 5, 4, 3, 2, 1];
const scores = { name: "scores", better: { loss: "lower", quality: "higher" } } as const;
const scored = (
  stopWhen: NonNullable<TrainerOptions["training"]>["stopWhen"],
  more: Partial<TrainerOptions> = {},
): Partial<TrainerOptions> => ({
  evaluators: [{ ...scores, evaluate: async (_, { step }) => ({ loss: SCORES[step]!, quality: -SCORES[step]! }) }],
  ...more,
  training: { epochs: 9, maxSteps: 10, evaluateEverySteps: 1, stopWhen },
});

describe("training.stopWhen", () => {
  it.each([
    [{ below: 6.5 }, 3, "loss of scores is 6, below 6.5"],
    [{ metric: "quality", above: -6.5 }, 3, "quality of scores is -6, above -6.5"],
    [{ patience: 1 }, 2, "loss of scores has not become better than 7 in 1 evaluation"],
    [{ patience: 2 }, 5, "loss of scores has not become better than 6 in 2 evaluations"],
    [{ metric: "quality", patience: 2 }, 5, "quality of scores has not become better than -6 in 2 evaluations"],
    [{ below: 20 }, 1, "loss of scores is 7, below 20"],
  ] as const)("ends the run for %j", async (stopWhen, steps, stopReason) => {
    expect((await runToy(scored(stopWhen))).summary).toMatchObject({ steps, stopReason, isInterrupted: false });
  });

  it("looks at the evaluation that is named", async () => {
    const data = { train: toySource(), evaluation: { held: toySource({ seed: 9, sampleCount: 3 }) } };
    const { summary } = await runToy(scored({ evaluation: "scores", below: 6.5 }, { data }));
    expect(summary.steps).toBe(3);
    await expect(runToy(scored({ evaluation: "score", below: 1 }, { data }))).rejects.toMatchObject({
      code: "THAW_CORE_STOP_RULE_UNKNOWN",
      details: { known: ["held", "scores"] },
    });
  });

  it("counts on when the run is resumed", async () => {
    const stop = tapped("Stop", (trainer) => {
      trainer.hooks.afterStep.tap("Stop", ({ step }) => {
        if (step === 3) trainer.stop("Ctrl-C");
      });
    });
    const { summary } = await runToy(scored({ patience: 2 }, { output, plugins: [stop] }));
    expect(summary.steps).toBe(4);
    const resumed = await runToy(scored({ patience: 2 }, { output, resume: { from: summary.runFolder! } }));
    expect(resumed.summary).toMatchObject({
      steps: 5,
      stopReason: "loss of scores has not become better than 6 in 2 evaluations",
    });
  });

  it("is refused where it says nothing, or where nothing measures it", async () => {
    expect(() => toyTrainer({ training: { maxSteps: 1, stopWhen: {} } })).toThrow(
      "One of below, above and patience is needed.",
    );
    for (const options of [
      { ...scored({ below: 1 }), evaluators: [] },
      { ...scored({ below: 1 }), training: { maxSteps: 1, stopWhen: { below: 1 } } },
    ]) {
      const { findings } = await toyTrainer(options).plan();
      expect(findings).toMatchObject([
        { rule: "stop-rule-unmeasured", severity: "error", settings: [{ path: "training.stopWhen.below" }] },
      ]);
    }
    const silent = { evaluators: [{ name: "silent", evaluate: () => Promise.resolve({}) }] };
    for (const [stopWhen, more, message] of [
      [{ metric: "none", below: 20 }, {}, "training.stopWhen looks at none, which nothing measures: it would never"],
      [{ metric: "loss", patience: 1 }, silent, "compares values of loss, and silent does not say which of them are"],
      [{ metric: "loss", below: 1 }, silent, undefined],
    ] as const) {
      const { findings } = await toyTrainer(scored(stopWhen, more)).plan();
      expect(findings.map((finding) => finding.message)).toEqual(
        message === undefined ? [] : [expect.stringContaining(message)],
      );
    }
  });
});
