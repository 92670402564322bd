import * as tf from "@tensorflow/tfjs-core";
import type { LoadedBatch, Model, Rows, Segment } from "@thaw/contracts";
import { openSafetensors } from "@thaw/safetensors";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { changedCheckpoint, LLAVA_FOLDER } from "../test-support/checkpoint.js";
import { generated, goldenBatch, largestDifference, prompts, supervised, useBackend } from "../test-support/golden.js";
import { IMAGE, patchRows } from "../test-support/images.js";
import { batchOf, loadWeights, testScope } from "../test-support/scope.js";
import { rm, writeFile } from "node:fs/promises";
import { openModel } from "./open/open-model.js";
import { rotaryFrequencies, rotaryTable } from "./blocks/rope.js";

let model: Model;
let weights: Map<string, tf.Tensor>;
let batch: LoadedBatch;
let tensorsBefore: number;

beforeAll(async () => {
  await useBackend("cpu");
  model = await openModel(LLAVA_FOLDER);
  weights = await loadWeights(model);
  const golden = await openSafetensors(`${LLAVA_FOLDER}/golden.safetensors`);
  batch = await goldenBatch(golden);
  await golden.close();
});
afterAll(() => tf.dispose([batch.inputs["pixelValues"]!.tensor, ...weights.values()]));
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

function logitsOf(
  given: LoadedBatch,
  rows: Int32Array | null = null,
  substitutes: Record<string, tf.Tensor> = {},
): Float32Array {
  const scope = testScope(weights, () => false, substitutes);
  try {
    return model.forward(given, scope).logits(rows).tensor.dataSync() as Float32Array;
  } finally {
    scope.tape.dispose();
  }
}

describe("the forward pass", () => {
  it("runs each declared segment once, and reads in it the parameters that it declares", () => {
    const scope = testScope(weights);
    const open: string[] = [];
    const used = new Map<string, Set<string>>();
    const note = (name: string): void => {
      for (const segment of open) used.set(segment, (used.get(segment) ?? new Set()).add(name));
    };
    const watched: typeof scope = {
      ...scope,
      parameter: (name) => (note(name), scope.parameter(name)),
      linear: (x, name) => {
        for (const part of ["weight", "bias"]) if (weights.has(`${name}.${part}`)) note(`${name}.${part}`);
        return scope.linear(x, name);
      },
      segment: (name, inputs, run) =>
        scope.segment(name, inputs, (...given) => {
          open.push(name);
          try {
            return run(...given);
          } finally {
            open.pop();
          }
        }),
    };
    model.forward(batch, watched).logits(null);
    scope.tape.dispose();
    expect(scope.ran.slice().sort()).toEqual(model.segments.map(({ name }) => name).sort());
    const inner = ({ name }: Segment): boolean => name !== "language_model";
    for (const segment of model.segments.filter(inner))
      expect([...used.get(segment.name)!].sort(), segment.name).toEqual([...segment.parameters].sort());
  });

  it("takes the tower's output in place of pixels", () => {
    const scope = testScope(weights);
    let features: tf.Tensor | undefined;
    model.forward(batch, {
      ...scope,
      segment: (name, inputs, run) => {
        const value = scope.segment(name, inputs, run);
        if (name === "vision_tower") features = tf.clone(value.tensor);
        return value;
      },
    });
    scope.tape.dispose();
    expect(features!.shape).toEqual([32, 40]);
    const cached: LoadedBatch = { ...batch, inputs: {}, segmentOutputs: {} };
    expect(logitsOf(cached, null, { vision_tower: features! })).toEqual(logitsOf(batch));
    features!.dispose();
  });

  it("reaches the tower before it looks at a token, so that the tower can run by itself", () => {
    const scope = testScope(weights);
    const imagesAlone: LoadedBatch = {
      ...batchOf([[]], []),
      batchSize: 0,
      tokenCount: 0,
      inputs: batch.inputs,
      media: batch.media,
    };
    class Done extends Error {}
    const stopping: typeof scope = {
      ...scope,
      segment: (name, inputs, run) => {
        const value = scope.segment(name, inputs, run);
        if (name === "vision_tower") throw new Done();
        return value;
      },
    };
    expect(() => model.forward(imagesAlone, stopping)).toThrow(Done);
    scope.tape.dispose();
  });

  it("gives the logits of chosen rows alone", () => {
    const all = logitsOf(batch);
    const rows = Int32Array.of(69, 3, 139);
    const some = logitsOf(batch, rows);
    for (const [index, row] of rows.entries())
      expect(
        largestDifference(some.subarray(index * 336, (index + 1) * 336), all.subarray(row * 336, (row + 1) * 336)),
      ).toBeLessThan(1e-5);
  });

  it("smooths labels as PyTorch does", () => {
    const { rows, targets } = supervised(batch);
    const scope = testScope(weights);
    const output = model.forward(batch, scope);
    const loss = output.crossEntropy(rows, targets, { labelSmoothing: 0.1 }).tensor.dataSync()[0]!;
    const logits = output.logits(rows).tensor.dataSync();
    scope.tape.dispose();
    let wanted = 0;
    for (const [index, target] of targets.entries()) {
      const row = [...logits.subarray(index * 336, (index + 1) * 336)];
      const logSum = Math.log(row.reduce((total, value) => total + Math.exp(value), 0));
      wanted += 0.9 * (logSum - row[target]!) + (0.1 / 336) * row.reduce((total, value) => total + logSum - value, 0);
    }
    expect(loss / wanted).toBeCloseTo(1, 5);
  });

  it("gives real tokens the same logits wherever the padding is", () => {
    const ids = [
      [1, 5, 9, 14],
      [1, 7],
    ];
    const right = logitsOf(batchOf(ids, [0, 2]));
    const left = logitsOf(batchOf(ids, [0, -2]));
    const row = (logits: Float32Array, at: number): Float32Array => logits.subarray(at * 336, (at + 1) * 336);
    for (const [at, moved] of [
      [0, 0],
      [3, 3],
      [4, 6],
      [5, 7],
    ] as const)
      expect(largestDifference(row(right, at), row(left, moved))).toBeLessThan(1e-5);
  });

  it("gives the same loss where samples have equally many rows, and counts what it left out", () => {
    const ids = [
      [1, 5, 9, 14, 20, 7, 30, 2],
      [1, 7, 3, 9, 11, 4, 8],
    ];
    const given = batchOf(ids, [0, 1]);
    const loss = (prefersEvenRows: boolean) => {
      const scope = { ...testScope(weights), prefersEvenRows };
      const output = model.forward(given, scope);
      const value = output.crossEntropy(Int32Array.of(4, 6, 14), Int32Array.of(7, 30, 4)).tensor.dataSync()[0]!;
      scope.tape.dispose();
      return { value, counts: output.rowCounts! };
    };
    const [ragged, even] = [loss(false), loss(true)];
    expect(even.value / ragged.value).toBeCloseTo(1, 5);
    for (const { counts } of [ragged, even]) expect(counts.rows).toBe(16);
    expect([ragged.counts.padding, ragged.counts.tail]).toEqual([1, 1]);
    expect([even.counts.padding, even.counts.tail]).toEqual([0, 0]);
  });

  it("runs text without images", () => {
    const scope = testScope(weights);
    model.forward(batchOf([[1, 5, 9]], []), scope);
    scope.tape.dispose();
    expect(scope.ran).not.toContain("vision_tower");
  });
});

describe("a batch is refused", () => {
  const pixels = (shape: number[]): Rows =>
    patchRows(new Float32Array(shape.reduce((size, length) => size * length)), shape);
  const image = Array.from({ length: 16 }, () => IMAGE);
  it.each<readonly [string, () => LoadedBatch, string]>([
    ["with image tokens but no image", () => batchOf([[1, IMAGE]], []), "THAW_MODEL_INPUT_MISSING"],
    [
      "with an image but no image token",
      () => batchOf([[1]], [], { pixelValues: pixels([1, 3, 28, 28]) }),
      "THAW_MODEL_PLACEHOLDERS",
    ],
    [
      "with too few image tokens",
      () => batchOf([[1, ...image.slice(1)]], [], { pixelValues: pixels([1, 3, 28, 28]) }),
      "THAW_MODEL_PLACEHOLDERS",
    ],
    [
      "with more images than places",
      () => batchOf([[1, ...image]], [], { pixelValues: pixels([2, 3, 28, 28]) }),
      "THAW_MODEL_PLACEHOLDERS",
    ],
    [
      "with images of another size",
      () => batchOf([[1, ...image]], [], { pixelValues: pixels([1, 3, 35, 35]) }),
      "THAW_MODEL_INPUT_SHAPE",
    ],
    [
      "with patches of another size",
      () => batchOf([[1, ...image]], [], { pixelValues: pixels([1, 1, 28, 28]) }),
      "THAW_MODEL_INPUT_SHAPE",
    ],
  ])("%s", (_, make, code) => {
    const given = make();
    expect(() => logitsOf(given)).toThrow(expect.objectContaining({ code }) as Error);
    given.inputs["pixelValues"]?.tensor.dispose();
  });
});

describe("generation", () => {
  async function generate(given: LoadedBatch, maxNewTokens: number, from: Model = model): Promise<number[][]> {
    const scope = testScope(weights);
    try {
      return await from.generate(given, scope, { maxNewTokens });
    } finally {
      scope.tape.dispose();
    }
  }

  it("gives each row what it gives that row alone", async () => {
    const ids = [
      [1, 5, 9, 14, 3],
      [1, 7],
      [1, 12, 4],
    ];
    const together = await generate(batchOf(ids, [0, 3, 2]), 8);
    for (const [row, prompt] of ids.entries())
      expect(await generate(batchOf([prompt], []), 8)).toEqual([together[row]]);
  });

  it("stops a row at its end token and goes on with the others", async () => {
    const folder = await changedCheckpoint({});
    const ids = prompts(batch);
    const width = Math.max(...ids.map((row) => row.length));
    const padded = batchOf(
      ids,
      ids.map((row) => row.length - width),
      batch.inputs,
    );
    const [first, second] = generated.llava as [number[], number[]];
    await writeFile(`${folder}/generation_config.json`, JSON.stringify({ eos_token_id: [first[2], 999] }));
    const early = await openModel(folder);
    expect(await generate(padded, 12, early)).toEqual([
      first.slice(0, 2),
      second.slice(0, second.includes(first[2]!) ? second.indexOf(first[2]!) : 12),
    ]);
    await writeFile(`${folder}/generation_config.json`, JSON.stringify({ eos_token_id: first[0] }));
    expect(await generate(padded, 12, await openModel(folder))).toEqual([[], []]);
    await rm(folder, { recursive: true });
  });

  it("gives nothing where no token is asked for", async () => {
    expect(await generate(batchOf([[1, 5]], []), 0)).toEqual([[]]);
  });

  it("lets timers run between tokens", async () => {
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 0);
    await generate(batchOf([[1, 5, 9]], []), 30);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });

  it("frees its cache when it fails", async () => {
    const scope = testScope(weights);
    let passes = 0;
    const failing: typeof scope = {
      ...scope,
      segment: (name, inputs, run) => {
        if (name === "language_model.norm" && ++passes === 3) throw new Error("the backend is gone");
        return scope.segment(name, inputs, run);
      },
    };
    await expect(model.generate(batchOf([[1, 5], [1]], [0, 1]), failing, { maxNewTokens: 9 })).rejects.toThrow(
      "the backend is gone",
    );
    scope.tape.dispose();
  });

  it("refuses a row without a token", async () => {
    await expect(generate(batchOf([[1], []], [0, 1]), 2)).rejects.toMatchObject({
      code: "THAW_MODEL_EMPTY_ROW",
      details: { row: 1 },
    });
  });
});

describe("rotary positions", () => {
  it("have the same values from any start", () => {
    const options = { frequencies: rotaryFrequencies(8, 10000) };
    const whole = rotaryTable(0, 40, options);
    const part = rotaryTable(37, 2, options);
    expect(part.cos).toEqual(whole.cos.subarray(37 * 8, 39 * 8));
    expect(part.sin).toEqual(whole.sin.subarray(37 * 8, 39 * 8));
    const small = { frequencies: rotaryFrequencies(4, 10000) };
    expect([...rotaryTable(0, 1, small).cos]).toEqual([1, 1, 1, 1]);
    expect(rotaryTable(3, 1, small).sin[1]).toBeCloseTo(Math.sin(3 / 100), 6);
  });
});
