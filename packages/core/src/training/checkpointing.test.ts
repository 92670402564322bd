import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import type { GradientFlow, Segment } from "@thaw/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import type { PlannedContext } from "../api/contexts.js";
import { runToy, trainOnly } from "../toy/toy-trainer.js";
import { activationBytes } from "../plan/activation-bytes.js";
import { activationMemoryBytes, activationShare, Checkpointing } from "./checkpointing.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

/** Two blocks of a 64 wide layer that opens to 128, and what stands around them. */
const SEGMENTS: readonly Segment[] = [
  { name: "decoder", after: [], reads: [], parameters: [] },
  ...[0, 1].map((index) => ({
    name: `decoder.layers.${index}`,
    after: [],
    reads: [],
    parameters: [`${index}.norm`, `${index}.query`, `${index}.up`],
  })),
];
const parameters = [0, 1].flatMap((index) =>
  [
    ["norm", [64]],
    ["query", [64, 64]],
    ["up", [128, 64]],
  ].map(([name, shape]) => ({ name: `${index}.${String(name)}`, shape, dtype: "F32" })),
);
const planned = { model: { segments: SEGMENTS, text: {}, parameters }, parameters } as unknown as PlannedContext;
const flows = (first: GradientFlow, second: GradientFlow): ReadonlyMap<string, GradientFlow> =>
  new Map([
    ["decoder", second],
    ["decoder.layers.0", first],
    ["decoder.layers.1", second],
  ]);
/** Ten tokens, and padding. */
const batch = { attentionMask: Int32Array.of(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0), media: [] };
const blocks = new Set(["decoder.layers.0", "decoder.layers.1"]);
/** Of one block, a token: its matrices' inputs and outputs. */
const WIDTHS = 64 + 64 + 128 + 64;

describe("activationBytes", () => {
  it("counts real tokens, and less where a block is frozen", () => {
    expect(activationBytes(planned, flows("trained", "trained"), blocks, () => 10)).toBe(4 * 2 * 10 * WIDTHS);
    expect(activationBytes(planned, flows("through", "trained"), blocks, () => 10)).toBeCloseTo(4 * 1.6 * 10 * WIDTHS);
    expect(activationBytes(planned, flows("trained", "trained"), new Set(["decoder.layers.1"]), () => 10)).toBe(
      4 * 10 * WIDTHS,
    );
  });

  it("counts of an adapter what lies between its two matrices", () => {
    const adapter = [
      { name: "0.query.lora_A", shape: [8, 64], dtype: "F32" },
      { name: "0.query.lora_B", shape: [64, 8], dtype: "F32" },
    ];
    const segments = SEGMENTS.map((segment) =>
      segment.name === "decoder.layers.0"
        ? { ...segment, parameters: [...segment.parameters, ...adapter.map(({ name }) => name)] }
        : segment,
    );
    const adapted = { model: { ...planned.model, segments }, parameters: [...parameters, ...adapter] };
    expect(
      activationBytes(
        adapted as unknown as PlannedContext,
        flows("trained", "trained"),
        new Set(["decoder.layers.0"]),
        () => 10,
      ),
    ).toBe(4 * 10 * (WIDTHS + 8));
  });
});

describe("Checkpointing", () => {
  const needed = activationBytes(planned, flows("trained", "trained"), blocks, () => 10);
  const decide = (choice: "auto" | "on" | "off", memoryBytes: number) => {
    const checkpointing = new Checkpointing({ choice, planned, memoryBytes });
    return { checkpointing, chosen: checkpointing.choose({ flows: flows("trained", "trained") }, batch) };
  };

  it("takes no block where all fit, every one where they do not, and says so", () => {
    const fits = decide("auto", needed);
    expect(fits.chosen.size).toBe(0);
    expect(fits.checkpointing.numbers).toEqual({ activationBytes: needed, checkpointedMicroBatches: 0 });
    expect(fits.checkpointing.lines).toEqual([
      "Activation checkpointing: off, since about 25.6 kB of activations fit into the 25.6 kB that they may take.",
    ]);
    const full = decide("auto", needed - 1);
    expect(full.chosen).toEqual(blocks);
    expect(full.checkpointing.lines[0]).toMatch(/^Activation checkpointing: on, since up to about/);
    full.checkpointing.choose({ flows: flows("trained", "trained") }, { attentionMask: Int32Array.of(1), media: [] });
    expect(full.checkpointing.numbers.checkpointedMicroBatches).toBe(1);
    expect(full.checkpointing.lines[0]).toContain("on for 1 of 2 micro-batches");
  });

  it("leaves out blocks that no gradient passes, and does what it is told", () => {
    const auto = new Checkpointing({ choice: "auto", planned, memoryBytes: 0 });
    expect(auto.choose({ flows: flows("prefix", "trained") }, batch)).toEqual(new Set(["decoder.layers.1"]));
    expect([decide("on", Infinity).chosen, decide("off", 0).chosen]).toEqual([blocks, new Set()]);
    expect([decide("on", Infinity).checkpointing.lines, decide("off", 0).checkpointing.numbers]).toEqual([[], {}]);
  });

  it("gives activations at most half of what is free, and less on WebAssembly", () => {
    const bytes = activationMemoryBytes({ name: "cpu" });
    expect(bytes).toBeGreaterThan(0);
    expect(activationMemoryBytes({ name: "wasm" })).toBeLessThanOrEqual(Math.min(1.5e9, 1.5 * bytes));
  });
});

describe("on a card", () => {
  it("gives activations half of what is free there beside weights, whatever the machine has", () => {
    const weights = tf.zeros([1000]);
    const held = tf.memory().numBytes;
    expect(activationMemoryBytes({ name: "tensorflow", freeBytes: held + 8e12 })).toBe(4e12);
    expect(activationMemoryBytes({ name: "tensorflow", freeBytes: held - 1 })).toBe(0);
    weights.dispose();
  });

  it("counts half the bytes where compiled functions keep them in bfloat16", () => {
    const backend = tf.backend() as { tensorFunctions?: object };
    expect(activationShare("bfloat16")).toBe(1);
    backend.tensorFunctions = {};
    expect([activationShare("bfloat16"), activationShare("tf32")]).toEqual([0.5, 1]);
    delete backend.tensorFunctions;
    const auto = new Checkpointing({ choice: "auto", planned, memoryBytes: 12_800, share: 0.5 });
    expect(auto.choose({ flows: flows("trained", "trained") }, batch).size).toBe(0);
    expect(auto.numbers).toEqual({ activationBytes: 12_800, checkpointedMicroBatches: 0 });
  });
});

describe("a run", () => {
  it("decides by itself unless told otherwise, with the same losses, and its summary says what", async () => {
    const runs = [];
    for (const activationCheckpointing of [undefined, "off", "on"] as const) {
      runs.push(
        await runToy({
          plugins: [trainOnly([0, ["projector"]])],
          training: activationCheckpointing === undefined ? {} : { activationCheckpointing },
        }),
      );
    }
    const [auto, off, on] = runs;
    expect(auto!.losses).toEqual(off!.losses);
    expect(on!.losses).toEqual(off!.losses);
    expect(auto!.summary.numbers).toMatchObject({ checkpointedMicroBatches: 0 });
    expect(
      auto!.summary.lines.filter((line) => line.startsWith("Activation checkpointing: off, since about")),
    ).toHaveLength(1);
    expect(off!.summary.lines.filter((line) => line.startsWith("Activation"))).toEqual([]);
    expect(off!.summary.numbers).not.toHaveProperty("checkpointedMicroBatches");
  });
});
