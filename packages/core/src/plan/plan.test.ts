import type { Finding, Plan } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import { toyModel } from "../toy/toy-model.js";
import { tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import { toySource } from "../toy/toy-source.js";
import { resolveOwners } from "./owners.js";
import { defaultPlan, hashPlan } from "./plan.js";
import { diffPlans, planDiffTable } from "./plan-diff.js";
import { planReport } from "./plan-report.js";
import { runLength } from "./run-length.js";
import { trainingSchema } from "../api/options.js";

const model = toyModel();
const base = defaultPlan(model.parameters, resolveOwners(model.parameters, model.components).owners);
const changePlan = (change: (plan: Plan) => Plan) =>
  tapped("Change", ({ hooks }) => {
    hooks.plan.tap("Change", (plan) => change(plan));
  });
const rules = (findings: readonly Finding[]) => findings.map(({ rule, message }) => `${rule}: ${message}`);

describe("hashPlan", () => {
  it("is stable: a change of it is a change of what old checkpoints mean", () => {
    expect(hashPlan(base)).toBe("c0e2852343bdce91ecf9107aea10e19f6b6cf6925b3ed2560293a7ff48788629");
  });

  it("does not depend on order and reasons, but on state, group and phases", () => {
    const { entries } = base.phases[0]!;
    const same: Plan = {
      phases: [
        {
          fromStep: 0,
          entries: entries.toReversed().map((entry) => ({ ...entry, reason: { text: "other", settings: [] } })),
        },
      ],
    };
    expect(hashPlan(same)).toBe(hashPlan(base));
    const others: Plan[] = [
      { phases: [{ fromStep: 0, entries: entries.map((entry, index) => ({ ...entry, trainable: index > 0 })) }] },
      { phases: [{ fromStep: 0, entries: entries.map((entry) => ({ ...entry, group: "one" })) }] },
      {
        phases: [
          { fromStep: 0, entries },
          { fromStep: 5, entries },
        ],
      },
      { phases: [{ fromStep: 0, entries, stopGradientAfter: ["tower"] }] },
    ];
    expect(new Set([base, ...others].map(hashPlan)).size).toBe(5);
  });
});

describe("Trainer.plan", () => {
  it("trains everything without plugins, reads no weight and needs no data", async () => {
    const trainer = toyTrainer({
      data: undefined,
      training: {},
      seed: undefined,
      model: {
        ...model,
        load: () => {
          throw new Error("read");
        },
      },
    });
    const planned = await trainer.plan();
    expect(planned.isRefused).toBe(false);
    expect(planned.findings).toEqual([]);
    expect(
      planReport(planned).components.map(({ name, state, parameterCount }) => [name, state, parameterCount]),
    ).toEqual([
      ["tower", "train", 19],
      ["projector", "train", 20],
      ["decoder", "train", 165],
    ]);
    expect((await trainer.plan()).planHash).toBe(planned.planHash);
  });

  it("fires its hooks once and freezes the plan", async () => {
    const names: string[] = [];
    const trainer = toyTrainer({
      plugins: [
        tapped("Order", ({ hooks }) => {
          const noted =
            (name: string) =>
            <T>(value: T): T => {
              names.push(name);
              return value;
            };
          hooks.parameters.tap("Order", noted("parameters"));
          hooks.plan.tap("Order", noted("plan"));
          hooks.parameterGroups.tap("Order", noted("parameterGroups"));
          hooks.findings.tap("Order", noted("findings"));
          hooks.rules.tap("Order", () => {
            names.push("rules");
          });
          hooks.collectIssues.tap("Order", () => {
            names.push("collectIssues");
          });
          hooks.planned.tap("Order", ({ plan }) => {
            names.push("planned");
            expect(() => {
              (plan.phases[0]!.entries[0] as { trainable: boolean }).trainable = false;
            }).toThrow(TypeError);
          });
        }),
      ],
    });
    await trainer.plan();
    await trainer.plan();
    expect(names).toEqual(["parameters", "plan", "parameterGroups", "rules", "collectIssues", "findings", "planned"]);
  });

  it("prints the plan at a step, as data and as a table", async () => {
    const planned = await toyTrainer({
      plugins: [trainOnly([0, ["projector"]], [3, ["projector", "decoder"]])],
    }).plan();
    const report = planReport(planned, 2);
    expect(Object.keys(report)).toEqual(["hash", "components", "parameters"]);
    expect(report.components[2]).toEqual({
      name: "decoder",
      state: "frozen",
      flows: ["through"],
      parameterCount: 165,
      reason: "the test says so",
    });
    expect(report.parameters[0]).toEqual({
      name: "tower.linear.weight",
      component: "tower",
      trainable: false,
      group: "tower",
      reason: "the test says so",
    });
    expect(planReport(planned, 3).components[2]).toMatchObject({ state: "train", flows: ["trained"] });
  });

  const { entries } = base.phases[0]!;
  it.each([
    [
      "an undecided component",
      { phases: [{ fromStep: 0, entries: entries.filter(({ component }) => component !== "projector") }] },
      "leaves projector undecided",
    ],
    [
      "an entry twice",
      { phases: [{ fromStep: 0, entries: [...entries, entries[0]!] }] },
      "lists tower.linear.weight twice",
    ],
    [
      "an unknown name",
      { phases: [{ fromStep: 0, entries: [...entries, { ...entries[0]!, name: "tower.other" }] }] },
      "which the model does not have",
    ],
    [
      "another owner",
      {
        phases: [
          {
            fromStep: 0,
            entries: entries.map((entry, index) =>
              index === 0 ? { ...entry, component: "decoder", group: "decoder" } : entry,
            ),
          },
        ],
      },
      "to another component",
    ],
    ["no phase at 0", { phases: [{ fromStep: 2, entries }] }, "phases start at steps 2"],
    [
      "phases out of order",
      {
        phases: [
          { fromStep: 0, entries },
          { fromStep: 5, entries },
          { fromStep: 5, entries },
        ],
      },
      "phases start at steps 0, 5, 5",
    ],
    ["no phases", { phases: [] }, "phases start at steps (none)"],
    ["an unknown segment", { phases: [{ fromStep: 0, entries, stopGradientAfter: ["towr"] }] }, "are not segments"],
    [
      "an unknown group",
      { phases: [{ fromStep: 0, entries: entries.map((entry) => ({ ...entry, group: "fast" })) }] },
      "uses the groups fast",
    ],
  ] as const)("refuses a plan with %s", async (_, plan: Plan, text) => {
    const dropGroups = tapped("Drop", ({ hooks }) => {
      hooks.parameterGroups.tap("Drop", (groups) => groups.filter(({ name }) => name !== "fast"));
    });
    const trainer = toyTrainer({ plugins: [changePlan(() => plan), dropGroups] });
    const planned = await trainer.plan();
    expect(planned.isRefused).toBe(true);
    expect(rules(planned.findings).join("\n")).toContain(text);
    await expect(trainer.run()).rejects.toMatchObject({ code: "THAW_CORE_PLAN_REFUSED" });
  });

  it("refuses an undecided component even where a plugin drops all findings", async () => {
    const silent = tapped("Silent", ({ hooks }) => {
      hooks.findings.tap("Silent", () => []);
    });
    const undecided = changePlan((plan) => ({ phases: [{ fromStep: 0, entries: plan.phases[0]!.entries.slice(1) }] }));
    expect((await toyTrainer({ plugins: [undecided, silent] }).plan()).isRefused).toBe(true);
  });

  it("lists all findings at once: reported, of rules, of collectIssues; a waterfall may change them", async () => {
    const finding = (rule: string): Finding => ({
      rule,
      severity: "error",
      message: `${rule} is wrong.`,
      fix: "Change it.",
      settings: [{ path: `freeze.${rule}`, value: 1, origin: "explicit", file: "thaw.yaml", line: 3 }],
    });
    const plugin = tapped("Findings", ({ hooks }) => {
      hooks.plan.tap("Findings", (plan, { report }) => {
        report(finding("one"));
        return plan;
      });
      hooks.rules.tap("Findings", ({ add }) => {
        add({
          id: "two",
          defaultSeverity: "error",
          summary: "",
          check: ({ flows, claims, groups, sources }) => {
            expect([flows.size, claims.size, groups.length, [...sources.keys()]]).toEqual([7, 1, 3, ["train"]]);
            return [finding("two"), finding("two")];
          },
        });
        add({ id: "silent", defaultSeverity: "note", summary: "" });
      });
      hooks.collectIssues.tap("Findings", ({ report }) => {
        report(finding("three"));
      });
      hooks.findings.tap("Findings", (findings) =>
        findings.map((one) => (one.rule === "three" ? { ...one, severity: "warning" } : one)),
      );
    });
    const trainer = toyTrainer({ plugins: [plugin] });
    const failures: unknown[] = [];
    trainer.hooks.failed.tap("Test", ({ error }) => {
      failures.push(error);
    });
    const error = await trainer.run().catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "THAW_CORE_PLAN_REFUSED" });
    expect((error as Error).message).toBe(
      "The plan has 2 errors, so nothing was loaded and nothing was trained:\n" +
        "  - [one] one is wrong. At freeze.one (thaw.yaml:3). Change it.\n  - [two] two is wrong. At freeze.two " +
        "(thaw.yaml:3). Change it.",
    );
    expect(failures).toEqual([error]);
  });

  it("reports a training component that does not exist, with the nearest name", async () => {
    const { findings } = await toyTrainer({ training: { components: { projektor: { learningRate: 1 } } } }).plan();
    expect(findings).toMatchObject([
      {
        rule: "selector-matches-nothing",
        fix: "Write projector; components are: tower, projector, decoder.",
        settings: [{ path: "training.components.projektor.learningRate", value: 1, origin: "explicit" }],
      },
    ]);
  });

  it("makes a group a trained component, with its own rates", async () => {
    const { groups } = await toyTrainer({
      plugins: [trainOnly([0, ["projector"]])],
      training: {
        learningRate: 1e-3,
        optimizer: { weightDecay: 0.1 },
        components: { Projector: { learningRate: 2e-3, clipNorm: 5 } },
      },
    }).plan();
    expect(groups).toMatchObject([{ name: "projector", learningRate: 2e-3, weightDecay: 0.1, clipNorm: 5 }]);
  });

  it("accepts a parameter that a plugin adds with an initializer", async () => {
    const add = tapped("Add", ({ hooks }) => {
      hooks.parameters.tap("Add", (parameters) => [
        ...parameters,
        { name: "projector.extra", shape: [2], dtype: "F32", initialize: (_, random) => Float32Array.of(random(), 3) },
      ]);
    });
    const trainer = toyTrainer({ plugins: [add] });
    expect((await trainer.plan()).owners.get("projector.extra")).toBe("projector");
  });
});

describe("diffPlans", () => {
  it("lists what changes, joined in the table", async () => {
    const before = (await toyTrainer({ plugins: [trainOnly([0, ["projector"]])] }).plan()).plan;
    const after = (await toyTrainer({ plugins: [trainOnly([0, ["projector"]], [4, ["decoder"]])] }).plan()).plan;
    const differences = diffPlans(before, after);
    expect(differences).toHaveLength(7);
    expect(planDiffTable(differences).split("\n")).toEqual([
      "from step  component  parameters                                 before  now",
      "4          decoder    5 parameters, decoder.embed.weight first   frozen  train",
      "4          projector  2 parameters, projector.linear.bias first  train   frozen",
    ]);
    expect(diffPlans(before, before)).toEqual([]);
  });
});

describe("runLength", () => {
  const length = (training: object, sampleCount?: number) =>
    runLength(sampleCount === undefined ? undefined : toySource({ sampleCount }), trainingSchema.parse(training));
  it("counts the short tail of an epoch, fractions and the smaller of both limits", () => {
    expect(length({ epochs: 2, microBatchSize: 4 }, 10)).toEqual({ stepsPerEpoch: 3, totalSteps: 6 });
    expect(length({ epochs: 2, microBatchSize: 4, gradientAccumulationSteps: 2 }, 10)).toEqual({
      stepsPerEpoch: 2,
      totalSteps: 4,
    });
    expect(length({ epochs: 0.1, microBatchSize: 1 }, 30)).toEqual({ stepsPerEpoch: 30, totalSteps: 3 });
    expect(length({ epochs: 5, maxSteps: 7, microBatchSize: 4 }, 10).totalSteps).toBe(7);
    expect(length({ maxSteps: 7 })).toEqual({ totalSteps: 7 });
    expect(length({})).toEqual({});
  });
});
