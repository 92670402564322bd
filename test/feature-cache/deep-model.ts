import {
  add,
  crossEntropy,
  embedding,
  gatherRows,
  joinColumns,
  linear,
  placeholderRows,
  reshape,
  rmsNorm,
  scatterRows,
  seededRandom,
  splitColumns,
  tanh,
  type LoadedBatch,
  type Model,
  type ModelOutput,
  type ParameterInfo,
  type Scope,
  type Segment,
  type Value,
} from "@thaw/core";

/** Numbers per patch, patches per placeholder, sizes of hidden states, words; word 0 stands for features. */
export const DEEP = { patchValues: 3, merged: 2, tower: 6, features: 8, hidden: 5, vocabulary: 12 } as const;

/** What the tower hands to the projector: its end, and what is between its layers, each for a layer of the decoder. */
const TOWER_OUTPUTS = [
  { name: "features", width: DEEP.features },
  { name: "deep0", width: DEEP.tower },
  { name: "deep1", width: DEEP.tower },
] as const;
/** What the projector makes of them. */
const PROJECTOR_OUTPUTS = TOWER_OUTPUTS.map(({ name }) => ({ name, width: DEEP.hidden }));

/** Layers of the decoder; behind the first two of them the tower's deep outputs are added. */
const LAYERS = [0, 1, 2] as const;
const TOWER_PARTS = ["embeddings", "layers.0", "layers.1", "layers.2"] as const;

const SHAPES: readonly (readonly [string, readonly number[]])[] = [
  ["vision_tower.embeddings.weight", [DEEP.tower, DEEP.patchValues]],
  ["vision_tower.layers.0.weight", [DEEP.tower, DEEP.tower]],
  ["vision_tower.layers.1.weight", [DEEP.tower, DEEP.tower]],
  ["vision_tower.layers.2.weight", [DEEP.features, DEEP.tower]],
  ...TOWER_OUTPUTS.map(
    ({ name, width }) => [`multi_modal_projector.${name}.weight`, [DEEP.hidden, DEEP.merged * width]] as const,
  ),
  ["language_model.embed_tokens.weight", [DEEP.vocabulary, DEEP.hidden]],
  ...LAYERS.map((layer) => [`language_model.layers.${layer}.weight`, [DEEP.hidden, DEEP.hidden]] as const),
  ["language_model.norm.weight", [DEEP.hidden]],
  ["lm_head.weight", [DEEP.vocabulary, DEEP.hidden]],
];

/**
 * A model whose tower gives several outputs (DeepStack: Meng et al., arXiv:2406.04334): its features stand where the
 * placeholders are, and two more tensors are added there behind the decoder's layers. Items have any number of patches,
 * and a patch also sees the one before it of the same item.
 */
export function deepModel(): Model {
  const parameters = SHAPES.map(([name, shape]): ParameterInfo => ({ name, shape, dtype: "F32" }));
  return {
    modelType: "deep",
    source: "the deep model",
    components: [
      { name: "vision_tower", prefixes: ["vision_tower"] },
      { name: "multi_modal_projector", prefixes: ["multi_modal_projector"] },
      { name: "language_model", prefixes: ["language_model", "lm_head"] },
    ],
    parameters,
    segments: segments(parameters.map(({ name }) => name)),
    deadParameters: [],
    text: {
      vocabularySize: DEEP.vocabulary,
      hiddenSize: DEEP.hidden,
      maxPositions: 64,
      eosTokenIds: [1],
      padTokenId: 2,
      embeddings: { input: "language_model.embed_tokens.weight", output: "lm_head.weight" },
      mediaTokens: [{ modality: "image", tokenId: 0, rows: ({ inputs }) => inputs.patches!.rows / DEEP.merged }],
    },
    async *load(names) {
      for (const name of names) {
        const random = seededRandom(3, name);
        const { shape } = parameters.find((parameter) => parameter.name === name)!;
        const values = Float32Array.from({ length: shape.reduce((size, length) => size * length, 1) }, () =>
          name.includes("norm") ? 1 + 0.2 * random() : 1.2 * (random() - 0.5),
        );
        yield await Promise.resolve({ name, values });
      }
    },
    forward: (batch, scope) => forward(batch, scope),
    generate: () => Promise.resolve([]),
    save: () => Promise.resolve(),
  };
}

function segments(names: readonly string[]): readonly Segment[] {
  const make = (name: string, after: readonly string[], more: Partial<Segment> = {}): Segment => ({
    name,
    after,
    reads: [],
    parameters: names.filter((parameter) => parameter.startsWith(`${name}.`)),
    ...more,
  });
  const [embeddings, ...layers] = TOWER_PARTS.map((part) => `vision_tower.${part}`);
  const decoder = LAYERS.map((layer) => `language_model.layers.${layer}`);
  return [
    make("vision_tower", [], { reads: ["patches"], modality: "image", outputs: TOWER_OUTPUTS, signature: "deep" }),
    make(embeddings!, [], { reads: ["patches"], modality: "image", signature: "deep" }),
    ...layers.map((name, index) => make(name, [[embeddings!, ...layers][index]!])),
    make("multi_modal_projector", ["vision_tower"], { outputs: PROJECTOR_OUTPUTS }),
    make("language_model.embed_tokens", ["multi_modal_projector"]),
    ...decoder.map((name, index) =>
      make(name, [["language_model.embed_tokens", ...decoder][index]!, "multi_modal_projector"]),
    ),
    make("lm_head", [decoder.at(-1)!], { parameters: ["language_model.norm.weight", "lm_head.weight"] }),
  ];
}

function forward(batch: LoadedBatch, scope: Scope): ModelOutput {
  const places = placeholderRows(batch.media, batch.tokenCount);
  const seen = batch.media.length === 0 ? undefined : projector(tower(batch, scope), scope);
  const given = seen === undefined ? undefined : splitColumns(PROJECTOR_OUTPUTS, seen);
  let x = scope.segment("language_model.embed_tokens", given === undefined ? [] : [given.features], (features) => {
    const words = embedding(scope.parameter("language_model.embed_tokens.weight"), batch.tokenIds, [
      batch.tokenIds.length,
    ]);
    return features === undefined ? words : scatterRows(words, places, features);
  });
  const before = rowsBefore(Int32Array.from({ length: batch.batchSize + 1 }, (_, sample) => sample * batch.tokenCount));
  for (const layer of LAYERS) {
    const deep = layer === 2 ? undefined : given?.[`deep${layer}`];
    x = scope.segment(`language_model.layers.${layer}`, deep === undefined ? [x] : [x, deep], (input, own) => {
      const made = block(input!, before, scope, `language_model.layers.${layer}`);
      return own === undefined ? made : scatterRows(made, places, add(gatherRows(made, places), own));
    });
  }
  const head = (rows: Int32Array | null, run: (rows: Value) => Value): Value =>
    scope.segment("lm_head", [x], (hidden) => {
      const normed = rmsNorm(hidden!, scope.parameter("language_model.norm.weight"), 1e-5);
      return run(rows === null ? normed : gatherRows(normed, rows));
    });
  return {
    hidden: reshape(x, [batch.batchSize, batch.tokenCount, DEEP.hidden]),
    logits: (rows) => head(rows, (hidden) => linear(hidden, scope.parameter("lm_head.weight"))),
    crossEntropy: (rows, targets, options) =>
      head(rows, (hidden) => crossEntropy(hidden, scope.parameter("lm_head.weight"), targets, options ?? {})),
  };
}

/** `[patches, features + 2 * tower]`. */
function tower(batch: LoadedBatch, scope: Scope): Value {
  return scope.segment("vision_tower", [], () => {
    let x = scope.segment("vision_tower.embeddings", [], () =>
      scope.linear(scope.constant(batch.inputs.patches!.tensor), "vision_tower.embeddings"),
    );
    const deep: Value[] = [];
    const before = rowsBefore(batch.inputs.patches?.offsets ?? itemOffsets(batch));
    for (const layer of [0, 1]) {
      const name = `vision_tower.layers.${layer}`;
      x = scope.segment(name, [x], (input) => block(input!, before, scope, name));
      deep.push(x);
    }
    const features = scope.segment("vision_tower.layers.2", [x], (input) =>
      scope.linear(input!, "vision_tower.layers.2"),
    );
    return joinColumns(TOWER_OUTPUTS, { features, deep0: deep[0]!, deep1: deep[1]! });
  });
}

/** `[patches, ...]` to `[patches / merged, 3 * hidden]`: patches side by side are merged. */
function projector(seen: Value, scope: Scope): Value {
  return scope.segment("multi_modal_projector", [seen], (given) => {
    const parts = splitColumns(TOWER_OUTPUTS, given!);
    const merge = (name: keyof typeof parts): Value => {
      const [rows, width] = parts[name].shape as [number, number];
      return scope.linear(
        reshape(parts[name], [rows / DEEP.merged, width * DEEP.merged]),
        `multi_modal_projector.${name}`,
      );
    };
    return joinColumns(PROJECTOR_OUTPUTS, {
      features: merge("features"),
      deep0: merge("deep0"),
      deep1: merge("deep1"),
    });
  });
}

function block(x: Value, before: Int32Array, scope: Scope, name: string): Value {
  return add(x, tanh(scope.linear(add(x, gatherRows(x, before)), name)));
}

/** The row before each, itself where a stretch begins. */
function rowsBefore(offsets: Int32Array): Int32Array {
  const starts = new Set(offsets);
  return Int32Array.from({ length: offsets.at(-1)! }, (_, row) => (starts.has(row) ? row : row - 1));
}

/** Where each item's patches begin, where their first layer is known and they were not loaded. */
function itemOffsets({ media }: LoadedBatch): Int32Array {
  let end = 0;
  return Int32Array.from([0, ...media.map(({ inputs }) => (end += inputs.patches!.rows))]);
}
