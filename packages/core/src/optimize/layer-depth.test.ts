import type { ParameterInfo, Segment } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import type { TrainerOptions } from "../api/trainer-options.js";
import { TOY, toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { useToyOutput } from "../toy/toy-output.js";
import { runToy, tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import { layerDepths } from "./layer-depth.js";

let output = "";
useToyOutput((folder) => {
  output = folder;
});

/** As timm 1.0's `param_groups_layer_decay` and BEiT scale a stack of so many blocks: by the layers behind. */
const BEHIND: Readonly<Record<string, number>> = {
  "decoder.embed.weight": TOY.layers + 1,
  ...Object.fromEntries(
    Array.from({ length: TOY.layers }, (_, layer) => [`decoder.layers.${layer}.weight`, TOY.layers - layer]),
  ),
  "decoder.norm.weight": 0,
  "decoder.head.weight": 0,
  "projector.linear.weight": 0,
  "tower.linear.weight": 0,
};

type Training = NonNullable<TrainerOptions["training"]>;
const SGD = { type: "sgd", momentum: 0, clipNorm: null } as const;

/** What a step with SGD takes off each parameter, with plain rates and with decayed ones. */
async function changes(training: Training, more: Partial<TrainerOptions> = {}) {
  const run = async (own: Training) => {
    const { parameters } = await runToy({
      data: { train: toySource({ sampleCount: 8 }) },
      ...more,
      training: { optimizer: SGD, shuffle: false, maxSteps: 1, ...own },
    });
    return parameters;
  };
  const [start, plain, decayed] = [
    await run({ ...training, learningRate: 0, layerDecay: 1 }),
    await run({ ...training, layerDecay: 1 }),
    await run(training),
  ];
  return { start, plain, decayed };
}

describe("layerDepths", () => {
  it("counts the layers of a component behind each parameter, adapters and frozen ones like others", () => {
    const { segments, parameters } = toyModel();
    const added = ["decoder.layers.0.lora_A.weight", "decoder.head.lora_B.weight", "tower.other.weight"];
    const all = [...parameters, ...added.map((name): Pick<ParameterInfo, "name"> => ({ name }))];
    const owners = new Map(all.map(({ name }) => [name, name.split(".")[0]!]));
    const { behind, layered } = layerDepths({ segments, parameters: all, owners });
    expect([...layered]).toEqual(["decoder"]);
    for (const [name, count] of Object.entries(BEHIND)) expect([name, behind(name)]).toEqual([name, count]);
    expect(added.map(behind)).toEqual([TOY.layers, 0, 0]);
  });

  it("gives what is used before and behind the layers the first place, and keeps components apart", () => {
    const segment = (name: string, ...parameters: string[]): Segment => ({ name, after: [], reads: [], parameters });
    const segments = [
      segment("a", "a.e", "a.0", "a.1"),
      segment("a.embed", "a.e"),
      segment("a.layers.0", "a.0"),
      segment("a.layers.1", "a.1"),
      segment("a.head", "a.e"),
      segment("b.layers.0", "b.0"),
    ];
    const parameters = ["a.e", "a.0", "a.1", "b.0"].map((name) => ({ name }));
    const owners = new Map(parameters.map(({ name }) => [name, name[0]!]));
    const { behind } = layerDepths({ segments, parameters, owners });
    expect(parameters.map(({ name }) => behind(name))).toEqual([3, 2, 1, 1]);
  });
});

describe("layer_decay", () => {
  const decay = 0.5;
  it.each<[string, Training, Partial<TrainerOptions>?]>([
    ["of the run", { layerDecay: decay }],
    ["of a component", { components: { decoder: { layerDecay: decay } } }],
    ["with accumulation", { layerDecay: decay, microBatchSize: 2, gradientAccumulationSteps: 2 }],
    ["where some layers are frozen", { layerDecay: decay }, { plugins: [freezing("decoder.layers.1.weight")] }],
    ["with clipping, which sees no rates", { layerDecay: decay, optimizer: { ...SGD, clipNorm: 0.01 } }],
  ])("multiplies each layer's rate: %s", async (_name, training, more) => {
    const base = training.components === undefined ? training : { ...training, components: {} };
    const { start, decayed } = await changes(training, more);
    const { plain } = await changes(base, more);
    let moved = 0;
    for (const [name, count] of Object.entries(BEHIND)) {
      const first = start.get(name)!;
      for (const [at, value] of plain.get(name)!.entries()) {
        const wanted = (value - first[at]!) * decay ** count;
        expect(decayed.get(name)![at]! - first[at]!).toBeCloseTo(wanted, 6);
        if (wanted !== 0) moved += 1;
      }
    }
    expect(moved).toBeGreaterThan(50);
  });

  it.each([{ type: "adamw" }, { type: "adamw_8bit" }, { type: "muon" }, { type: "lion" }] as const)(
    "goes on exactly after a stop, through a phase that unfreezes, with $type",
    async (optimizer) => {
      const plugins = [trainOnly([0, ["projector"]], [2, ["projector", "decoder"]])];
      const training = { epochs: 2, layerDecay: 0.6, optimizer, saveEverySteps: 1 } as Training;
      const whole = await runToy({ training, plugins });
      const stop = tapped("Stop", (trainer) => {
        trainer.hooks.afterStep.tap("Stop", ({ step }) => {
          if (step === 2) trainer.stop("enough");
        });
      });
      const first = await runToy({ output, training, plugins: [...plugins, stop] });
      const rest = await runToy({ output, training, plugins, resume: { from: first.summary.runFolder! } });
      expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
      const plain = await runToy({ training: { ...training, layerDecay: 1 }, plugins });
      expect(plain.losses.slice(0, 3)).toEqual(whole.losses.slice(0, 3));
      expect(plain.losses.at(-1)).not.toBe(whole.losses.at(-1));
    },
  );

  it.each<[string, Training, readonly string[], RegExp]>([
    [
      "a component",
      { components: { projector: { layerDecay: 0.5 } } },
      ["decoder"],
      /components\.projector\.layer_decay/,
    ],
    [
      "all that trains",
      { layerDecay: 0.5 },
      ["projector"],
      /training\.layer_decay changes nothing: what trains has no/,
    ],
  ])("is refused where %s has no layers", async (_name, training, trained, message) => {
    const { findings } = await toyTrainer({ training, plugins: [trainOnly([0, trained])] }).plan();
    expect(findings.map((finding) => finding.message)).toEqual([expect.stringMatching(message)]);
    expect(findings[0]!.settings).toHaveLength(1);
  });
});

/** A plugin that freezes one parameter. */
function freezing(name: string) {
  return tapped("Freezing", ({ hooks }) => {
    hooks.plan.tap("Freezing", (plan) => ({
      phases: plan.phases.map((phase) => ({
        ...phase,
        entries: phase.entries.map((entry) => (entry.name === name ? { ...entry, trainable: false } : entry)),
      })),
    }));
  });
}
