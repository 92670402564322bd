import * as tf from "@tensorflow/tfjs-core";
import { joinColumns, type Value } from "@thaw/autograd";
import type { LoadedBatch, MediaItem, Rows } from "@thaw/contracts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useBackend } from "../../test-support/golden.js";
import { batchOf, testScope, type TestScope } from "../../test-support/scope.js";
import { SMALL_TEXT } from "../../test-support/small-text.js";
import { linearSpecs, namesOf } from "../blocks/specs.js";
import type { Connector, ConnectorPlace, Tower, TowerPlace } from "../contract/parts.js";
import { textDecoder } from "../decoders/text-decoder.js";
import type { Attending } from "../passes/attending.js";
import { compose } from "./compose.js";

const HIDDEN = 8;
const [IMAGE, VIDEO, SOUND] = [20, 21, 22];

/** One matrix over the rows of an input, with a dead parameter. */
function tower(input: string, width: number, outputSize: number) {
  return ({ component, modality }: TowerPlace): Tower => {
    const specs = linearSpecs(`${component}.map`, width, outputSize, false);
    const dead = { name: `${component}.unused`, shape: [1], role: "norm" } as const;
    return {
      parameters: [...specs, dead],
      segments: [{ name: component, after: [], reads: [input], modality, parameters: namesOf(specs) }],
      deadParameters: [dead.name],
      outputSize,
      run: (batch, scope) =>
        scope.segment(component, [], () =>
          scope.linear(scope.constant(batch.inputs[input]!.tensor), `${component}.map`),
        ),
    };
  };
}

/** One matrix, and beside its output twice of that for later layers, if asked to. */
function connector(hasDeep = false) {
  return ({ component, after, inputSize }: ConnectorPlace): Connector => {
    const specs = linearSpecs(`${component}.map`, inputSize, HIDDEN, false);
    const outputs = ["early", "main", "late"].map((name) => ({ name, width: HIDDEN }));
    return {
      parameters: specs,
      segments: [{ name: component, after, reads: [], parameters: namesOf(specs), ...(hasDeep && { outputs }) }],
      outputSize: hasDeep ? 3 * HIDDEN : HIDDEN,
      run: (features, scope) =>
        scope.segment(component, [features], (x) => {
          const main = scope.linear(x, `${component}.map`);
          return hasDeep ? joinColumns(outputs, { early: main, main, late: main }) : main;
        }),
    };
  };
}

const attending: Attending = { seesBothWays: () => [{ first: 0, end: 3 }] };
const model = (more: { readonly hasDeep?: boolean; readonly attending?: Attending } = {}) =>
  compose({
    towers: { vision_tower: tower("patches", 3, 5), audio_tower: tower("frames", 2, 4) },
    connectors: { multi_modal_projector: connector(more.hasDeep), audio_projector: connector() },
    decoder: (place) => textDecoder(SMALL_TEXT, { prefix: "language_model", head: "lm_head", isTied: false }, place),
    media: {
      image: { placeholder: IMAGE, through: ["vision_tower", "multi_modal_projector"] },
      video: { placeholder: VIDEO, through: ["vision_tower", "multi_modal_projector"] },
      audio: { placeholder: SOUND, through: ["audio_tower", "audio_projector"] },
    },
    attending: more.attending,
    ...(more.hasDeep === true && { addedBehind: { early: 0, late: 2 } }),
    text: { maxPositions: 64, eosTokenIds: [1], padTokenId: 0 },
  });
const composed = model();
let weights: Map<string, tf.Tensor>;
let tensors = 0;

beforeAll(async () => {
  await useBackend("cpu");
  weights = new Map(
    composed.parameters.map(({ name, shape }, index) => [
      name,
      tf.tidy(() => tf.randomNormal([...shape], 0, 0.6, "float32", index + 1)),
    ]),
  );
});
afterAll(() => tf.dispose([...weights.values()]));
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
});

function item(modality: string, input: string, sample: number, columns: readonly number[], width: number): MediaItem {
  return {
    modality,
    contentKey: `${modality} ${sample}`,
    sample,
    columns: Int32Array.from(columns),
    facts: {},
    inputs: { [input]: { rows: columns.length, width } },
    load: async () => ({}),
  };
}

function rowsOf(counts: readonly number[], width: number, seed: number): Rows {
  const offsets = [0];
  for (const count of counts) offsets.push(offsets.at(-1)! + count);
  const tensor = tf.tidy(() => tf.randomNormal([offsets.at(-1)!, width], 0, 1, "float32", seed));
  return { tensor, offsets: Int32Array.from(offsets) };
}

/** A sound, a video and a picture in two samples. */
function mixedBatch(): LoadedBatch {
  return {
    ...batchOf(
      [
        [SOUND, SOUND, 4, VIDEO, VIDEO, VIDEO, 5],
        [6, 7, IMAGE, 8, 9, 2, 3],
      ],
      [],
    ),
    media: [
      item("audio", "frames", 0, [0, 1], 2),
      item("video", "patches", 0, [3, 4, 5], 3),
      item("image", "patches", 1, [2], 3),
    ],
    inputs: { frames: rowsOf([2], 2, 90), patches: rowsOf([3, 1], 3, 91) },
  };
}

/** Runs a pass; segments' inputs and outputs, as they were. */
function outputsOf(batch: LoadedBatch, from: typeof composed) {
  const scope = testScope(weights);
  const outputs = new Map<string, number[][]>();
  const inputs = new Map<string, number[][]>();
  const read = (value: Value): number[][] => value.tensor.arraySync() as number[][];
  const segment: TestScope["segment"] = (name, given, run) => {
    if (given[0] !== undefined) inputs.set(name, read(given[0]));
    const value = scope.segment(name, given, run);
    outputs.set(name, read(value));
    return value;
  };
  try {
    from.forward(batch, { ...scope, segment }).logits(null);
    return { outputs, inputs, ran: scope.ran };
  } finally {
    scope.tape.dispose();
    tf.dispose(Object.values(batch.inputs).map(({ tensor }) => tensor));
  }
}

describe("compose", () => {
  it("names segments after components, connects them along the ways, and gathers what parts declare", () => {
    expect(
      composed.segments
        .filter(({ name }) => !name.startsWith("language_model."))
        .map(({ name, after, reads, modality }) => [name, after, reads, modality]),
    ).toEqual([
      ["vision_tower", [], ["patches"], undefined],
      ["audio_tower", [], ["frames"], "audio"],
      ["multi_modal_projector", ["vision_tower"], [], undefined],
      ["audio_projector", ["audio_tower"], [], undefined],
      ["language_model", ["multi_modal_projector", "audio_projector"], [], undefined],
    ]);
    expect(composed.parameters.slice(0, 6).map(({ name, shape }) => [name, shape])).toEqual([
      ["vision_tower.map.weight", [5, 3]],
      ["vision_tower.unused", [1]],
      ["audio_tower.map.weight", [4, 2]],
      ["audio_tower.unused", [1]],
      ["multi_modal_projector.map.weight", [8, 5]],
      ["audio_projector.map.weight", [8, 4]],
    ]);
    expect(composed.deadParameters).toEqual(["vision_tower.unused", "audio_tower.unused"]);
    expect(composed.text).toMatchObject({
      vocabularySize: 30,
      hiddenSize: 8,
      maxPositions: 64,
      eosTokenIds: [1],
      padTokenId: 0,
      embeddings: { input: "language_model.embed_tokens.weight", output: "lm_head.weight" },
    });
  });

  it("puts the features of each modality into the columns of its items, whatever their order", () => {
    const { outputs } = outputsOf(mixedBatch(), composed);
    const embedded = outputs.get("language_model.embed")!;
    const [seen, heard] = [outputs.get("multi_modal_projector")!, outputs.get("audio_projector")!];
    expect(seen).toHaveLength(4);
    expect([embedded[0], embedded[1]]).toEqual(heard);
    expect([embedded[3], embedded[4], embedded[5], embedded[7 + 2]]).toEqual(seen);
    const words = weights.get("language_model.embed_tokens.weight")!.arraySync() as number[][];
    expect([embedded[2], embedded[6], embedded[7]]).toEqual([words[4], words[5], words[6]]);
  });

  it("runs no part that has no item", () => {
    const sound = batchOf([[SOUND, 4, 5]], []);
    const given = { ...sound, media: [item("audio", "frames", 0, [0], 2)], inputs: { frames: rowsOf([1], 2, 3) } };
    expect(outputsOf(given, composed).ran.slice(0, 3)).toEqual([
      "audio_tower",
      "audio_projector",
      "language_model.embed",
    ]);
    expect(outputsOf(batchOf([[4, 5]], []), composed).ran[0]).toBe("language_model.embed");
  });

  it("joins what several towers made before a connector that they share", () => {
    const shared = compose({
      towers: { vision_tower: tower("patches", 3, 5), video_tower: tower("frames", 2, 5) },
      connectors: { multi_modal_projector: connector() },
      decoder: (place) => textDecoder(SMALL_TEXT, { prefix: "language_model", head: "lm_head", isTied: true }, place),
      media: {
        image: { placeholder: IMAGE, through: ["vision_tower", "multi_modal_projector"] },
        video: { placeholder: VIDEO, through: ["video_tower", "multi_modal_projector"] },
      },
      text: { maxPositions: 64, eosTokenIds: [1], padTokenId: 0 },
    });
    expect(shared.segments[2]).toMatchObject({ after: ["vision_tower", "video_tower"] });
    expect(shared.text.embeddings).toEqual({
      input: "language_model.embed_tokens.weight",
      output: "language_model.embed_tokens.weight",
    });
    const own = new Map(weights);
    weights.set("video_tower.map.weight", tf.ones([5, 2]));
    const batch: LoadedBatch = {
      ...batchOf([[VIDEO, 4, IMAGE, IMAGE, 5]], []),
      media: [item("video", "frames", 0, [0], 2), item("image", "patches", 0, [2, 3], 3)],
      inputs: { frames: rowsOf([1], 2, 92), patches: rowsOf([2], 3, 93) },
    };
    const { outputs, ran } = outputsOf(batch, shared);
    weights.get("video_tower.map.weight")!.dispose();
    weights = own;
    expect(ran.filter((name) => name === "multi_modal_projector")).toHaveLength(1);
    const [first, second, third] = outputs.get("multi_modal_projector")!;
    const embedded = outputs.get("language_model.embed")!;
    expect([embedded[2], embedded[3], embedded[0]]).toEqual([first, second, third]);
  });

  it("adds further outputs behind the layers that they are for, in the items' rows alone", () => {
    const { outputs, inputs } = outputsOf(mixedBatch(), model({ hasDeep: true }));
    const deep = outputs.get("multi_modal_projector")!.map((row) => row.slice(0, HIDDEN));
    expect(outputs.get("language_model.embed")![3]).toEqual(deep[0]);
    for (const [layer, next] of [
      [0, "layers.1"],
      [2, "norm"],
    ] as const) {
      const before = outputs.get(`language_model.layers.${layer}`)!;
      const after = inputs.get(`language_model.${next}`)!;
      const places = [3, 4, 5, 7 + 2];
      for (const [row, values] of after.entries()) {
        const added = deep[places.indexOf(row)] ?? Array.from({ length: HIDDEN }, () => 0);
        for (const [column, value] of values.entries())
          expect(value).toBeCloseTo(before[row]![column]! + added[column]!, 5);
      }
    }
  });

  it("adds them to the rows that the last layer is asked for alone", () => {
    const [rows, targets] = [Int32Array.from([5, 6, 9]), Int32Array.from([5, 4, 8])];
    const lossOf = (savings: NonNullable<LoadedBatch["savings"]>): number => {
      const scope = testScope(weights);
      const batch = { ...mixedBatch(), savings };
      try {
        return model({ hasDeep: true }).forward(batch, scope).crossEntropy(rows, targets).tensor.dataSync()[0]!;
      } finally {
        scope.tape.dispose();
        tf.dispose(Object.values(batch.inputs).map(({ tensor }) => tensor));
      }
    };
    expect(lossOf({})).toBeCloseTo(lossOf({ lastLayer: false, logits: false, tail: false, padding: false }), 5);
  });

  it("asks how rows attend", () => {
    const plain = outputsOf(mixedBatch(), composed).outputs.get("language_model.layers.0")!;
    const both = outputsOf(mixedBatch(), model({ attending })).outputs.get("language_model.layers.0")!;
    expect(both[0]).not.toEqual(plain[0]);
    expect(both[3]).toEqual(plain[3]);
  });

  it("says how many placeholders an item has: the rows of the last part that counts its own", () => {
    const [image, , audio] = composed.text.mediaTokens!;
    expect([image!.modality, image!.tokenId]).toEqual(["image", IMAGE]);
    expect(image!.rows(item("image", "patches", 0, [1, 2, 3], 3))).toBe(3);
    expect(audio!.rows(item("audio", "frames", 0, [1, 2], 2))).toBe(2);
  });

  it("generates with items of all modalities", async () => {
    const scope = testScope(weights);
    const mixed = mixedBatch();
    expect((await composed.generate(mixed, scope, { maxNewTokens: 3 })).map(({ length }) => length <= 3)).toEqual([
      true,
      true,
    ]);
    scope.tape.dispose();
    tf.dispose(Object.values(mixed.inputs).map(({ tensor }) => tensor));
  });
});
