import type { Value } from "@thaw/autograd";
import { ScopeLayer, type Scope } from "@thaw/core";
import type { FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import { withTempFolder } from "@thaw/testing";
import { describe, expect, it } from "vitest";
import { contractSource } from "./source.js";
import { difference, NO_SAVINGS, PROJECTORS, runContract, type Backend } from "./run.js";

/** What trains, by what a reader would say of it. */
const ALONE = { freezeLanguageModel: true } as const;
const STATES: readonly (readonly [string, FreezePolicyOptions])[] = [
  ["both projectors", PROJECTORS],
  ["the image projector alone", { ...ALONE, freezeMultiModalProjector: false }],
  ["the last block of the vision tower", { ...ALONE, components: { vision_tower: { lastBlocks: 1 } } }],
  ["both towers", { freezeVisionTower: false, freezeLanguageModel: true, components: { audio_tower: "train" } }],
  [
    "adapters of the language model and a projector",
    {
      freezeMultiModalProjector: false,
      components: { language_model: { lora: { rank: 2, targetModules: "all-linear" } } },
    },
  ],
  ["adapters of the vision tower", { ...ALONE, components: { vision_tower: { lora: { rank: 2 } } } }],
  [
    "the vision tower from step 2 on",
    { ...ALONE, freezeMultiModalProjector: false, components: { vision_tower: { unfreezeAtStep: 2 } } },
  ],
  ["the language model", { freezeVisionTower: true, freezeLanguageModel: false }],
  ["everything", { freezeVisionTower: false, freezeLanguageModel: false, freezeMultiModalProjector: false }],
];
const PLACES: readonly (readonly [Backend, number])[] = [
  ["cpu", 1],
  ["cpu", 2],
  ["wasm", 2],
];

describe.each(PLACES)("on %s, with batches of %i,", (backend, microBatchSize) => {
  it.each(STATES)("training %s is the same with every saving and with none", async (_, freeze) => {
    const options = { backend, freeze, training: { microBatchSize } };
    const saved = await runContract({ ...options, savings: { featureCache: "auto" } });
    const whole = await runContract({ ...options, savings: NO_SAVINGS });
    expect(difference(saved, whole)).toBeLessThan(2e-4);
  });
});

it("takes features of unequal items from memory and from disk, bit for bit, and decodes each item once", async () => {
  const plain = await runContract({ savings: { featureCache: "off" } });
  const kept = contractSource();
  const cached = await runContract({ savings: { featureCache: "on" }, source: kept });
  expect(cached.losses).toEqual(plain.losses);
  expect(cached.summary.numbers["featureCacheHits"]).toBeGreaterThan(0);
  await withTempFolder(async (disk) => {
    const savings = { featureCache: { memory: 0, disk } };
    const first = await runContract({ savings, training: { epochs: 1 } });
    const source = contractSource();
    const second = await runContract({ savings, source });
    expect(first.losses).toEqual(plain.losses.slice(0, first.losses.length));
    expect(second.losses).toEqual(plain.losses);
    expect(source.loads).toBeLessThan(kept.loads);
  });
});

it("leaves out what may be left out, and proves frozen towers and language model untouched", async () => {
  const { summary } = await runContract();
  for (const name of ["rowsPadding", "rowsTail", "rowsPrefix", "rowsLastLayer", "rowsLogits"])
    expect(summary.numbers[name], name).toBeGreaterThan(0);
  expect(summary.frozenProof.map(({ component, isUnchanged }) => [component, isUnchanged])).toEqual([
    ["vision_tower", true],
    ["audio_tower", true],
    ["language_model", true],
    ["buffers", true],
  ]);
});

/** Notes the segments that run. */
class Watched extends ScopeLayer {
  readonly #ran: string[];

  constructor(inner: Scope, ran: string[]) {
    super(inner);
    this.#ran = ran;
  }

  override segment(name: string, inputs: readonly Value[], run: (...inputs: Value[]) => Value): Value {
    this.#ran.push(name);
    return super.segment(name, inputs, run);
  }
}

it("touches no tower in batches of text", async () => {
  const source = contractSource([3, 3]);
  const ran: string[] = [];
  const { losses } = await runContract({
    source,
    freeze: { freezeLanguageModel: false },
    savings: NO_SAVINGS,
    plugins: [
      {
        name: "Segments",
        apiVersion: 1,
        apply: ({ hooks }) => hooks.scope.tap("Segments", (scope) => new Watched(scope, ran)),
      },
    ],
  });
  expect(losses).toHaveLength(2);
  expect(ran).toContain("language_model.layers.1");
  expect(ran.filter((name) => !name.startsWith("language_model"))).toEqual([]);
});
