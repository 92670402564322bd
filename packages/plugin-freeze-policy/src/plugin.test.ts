import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { Trainer, type ParameterGroup } from "@thaw/core";
import { conformance, tinyModel, tinySource } from "@thaw/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { compiledPolicyOf, freezePolicy } from "./plugin.js";

const plan = (options: Parameters<typeof freezePolicy>[0]) =>
  new Trainer({ model: tinyModel(), plugins: [freezePolicy(options)] }).plan();

beforeAll(async () => {
  await setBackend("cpu");
});

describe("the freeze policy in a trainer", () => {
  it("works by program: the settings are explicit and have no file", async () => {
    const { plan: planned, findings, isRefused } = await plan({ trainMmProjOnly: true });
    expect([findings, isRefused]).toEqual([[], false]);
    const [entry] = planned.phases[0]!.entries.filter(({ trainable }) => trainable);
    expect(entry!.component).toBe("multi_modal_projector");
    expect(entry!.reason).toEqual({
      text: "trained by freeze.trainMmProjOnly: true",
      settings: [{ path: "freeze.trainMmProjOnly", value: true, origin: "explicit" }],
    });
  });

  it("leaves a contradicted component undecided, and the run is refused before a weight is loaded", async () => {
    const options = { trainMmProjOnly: true, freezeLlm: false };
    const { plan: planned, isRefused, findings } = await plan(options);
    expect(isRefused).toBe(true);
    expect(findings.map(({ rule }) => rule)).toEqual(["shortcut-contradicts-flag"]);
    expect(planned.phases[0]!.entries.some(({ component }) => component === "language_model")).toBe(false);
    const model = {
      ...tinyModel(),
      load: () => {
        throw new Error("A weight was read.");
      },
    };
    const trainer = new Trainer({
      model,
      data: { train: tinySource() },
      plugins: [freezePolicy(options)],
      training: { maxSteps: 1 },
      seed: 1,
    });
    await expect(trainer.run()).rejects.toMatchObject({ code: "THAW_CORE_PLAN_REFUSED" });
  });

  it("reports an empty plan once, and also where another plugin emptied it", async () => {
    expect((await plan({ freezeLlm: true })).findings.map(({ rule }) => rule)).toEqual(["nothing-trains"]);
    const trainer = new Trainer({ model: tinyModel(), plugins: [freezePolicy()] });
    trainer.hooks.plan.tap("Other", ({ phases }) => ({
      phases: phases.map((phase) => ({
        ...phase,
        entries: phase.entries.map((entry) => ({ ...entry, trainable: false })),
      })),
    }));
    expect((await trainer.plan()).findings.map(({ rule }) => rule)).toEqual(["nothing-trains"]);
  });

  it("does not call a plan empty that another plugin filled after it", async () => {
    const trainer = new Trainer({ model: tinyModel(), plugins: [freezePolicy({ freezeLlm: true })] });
    trainer.hooks.plan.tap("Other", ({ phases }) => ({
      phases: phases.map((phase) => ({
        ...phase,
        entries: phase.entries.map((entry) => ({ ...entry, trainable: true })),
      })),
    }));
    expect((await trainer.plan()).findings).toEqual([]);
  });

  it("counts a scheduled component's own warm-up from where it starts to train", async () => {
    const { groups } = await plan({
      freezeMultiModalProjector: false,
      components: { languageModel: { unfreezeAtStep: 7, warmupSteps: 3 } },
    });
    const group = (name: string): ParameterGroup => groups.find((one) => one.name === name)!;
    expect(group("language_model")).toMatchObject({ fromStep: 7, schedule: { warmupSteps: 3 } });
    expect(group("multi_modal_projector").fromStep).toBeUndefined();
  });

  it("keeps the compiled policy of each trainer apart", async () => {
    const instance = freezePolicy({ trainMmProjOnly: true });
    const [left, right] = [
      new Trainer({ model: tinyModel(), plugins: [instance] }),
      new Trainer({ model: tinyModel(), plugins: [instance] }),
    ];
    await left.plan();
    expect(compiledPolicyOf(left)!.decisions.map(({ state }) => state)).toEqual(["frozen", "train", "frozen"]);
    expect(compiledPolicyOf(right)).toBeUndefined();
  });

  it("passes the conformance checks for plugins", async () => {
    const before = memory().numTensors;
    for (const check of conformance(() => freezePolicy({ trainMmProjOnly: true }))) await check.run();
    expect(memory().numTensors).toBe(before);
  });
});
