import {
  add,
  crossEntropy,
  embedding,
  gatherRows,
  linear,
  mul,
  reshape,
  rmsNorm,
  scatterRows,
  tanh,
  type Value,
} from "@thaw/autograd";
import { elementCount, placeholderRows } from "@thaw/contracts";
import type { LoadedBatch, Model, ModelOutput, ParameterInfo, Scope, Segment, StoredTensor } from "@thaw/contracts";
import { seededRandom } from "../run/random.js";

/** Sizes of the toy: pictures of 4 numbers, 5 hidden, 11 words; word 0 stands for a picture. */
export const TOY = { pixels: 4, features: 3, hidden: 5, vocabulary: 11, pictureId: 0, layers: 2 } as const;

const SHAPES: readonly (readonly [string, readonly number[]])[] = [
  ["tower.linear.weight", [TOY.features, TOY.pixels]],
  ["tower.linear.bias", [TOY.features]],
  ["tower.unused.weight", [2, 2]],
  ["projector.linear.weight", [TOY.hidden, TOY.features]],
  ["projector.linear.bias", [TOY.hidden]],
  ["decoder.embed.weight", [TOY.vocabulary, TOY.hidden]],
  ...Array.from(
    { length: TOY.layers },
    (_, layer) => [`decoder.layers.${layer}.weight`, [TOY.hidden, TOY.hidden]] as const,
  ),
  ["decoder.norm.weight", [TOY.hidden]],
  ["decoder.head.weight", [TOY.vocabulary, TOY.hidden]],
];

const GAIN: StoredTensor = { name: "tower.gain", shape: [], dtype: "F32" };

/** Options of the toy model. */
export interface ToyOptions {
  readonly seed?: number;
  /** The head is the embedding. */
  readonly isTied?: boolean;
  /** The tower's features are multiplied by the buffer `tower.gain`, a single number. */
  readonly hasBuffer?: boolean;
  /** Counts forward passes of the tower. */
  readonly onTower?: () => void;
}

/** A model of a few dozen numbers with the three usual parts: tower, projector, decoder. */
export function toyModel({ seed = 1, isTied = false, hasBuffer = false, onTower }: ToyOptions = {}): Model {
  const parameters = SHAPES.filter(([name]) => !isTied || name !== "decoder.head.weight").map(
    ([name, shape]): ParameterInfo => ({
      name,
      shape,
      dtype: "F32",
      ...(isTied && name === "decoder.embed.weight" ? { tiedNames: ["decoder.head.weight"] } : {}),
    }),
  );
  return {
    modelType: "toy",
    source: "the toy",
    components: ["tower", "projector", "decoder"].map((name) => ({ name, prefixes: [name] })),
    parameters,
    ...(hasBuffer && { buffers: [GAIN] }),
    segments: toySegments({ isTied, hasBuffer }),
    deadParameters: ["tower.unused.weight"],
    text: {
      vocabularySize: TOY.vocabulary,
      hiddenSize: TOY.hidden,
      maxPositions: 64,
      eosTokenIds: [1],
      padTokenId: 2,
      mediaTokens: [{ modality: "image", tokenId: TOY.pictureId, rows: () => 1 }],
      embeddings: {
        input: "decoder.embed.weight",
        output: isTied ? "decoder.embed.weight" : "decoder.head.weight",
      },
    },
    async *load(names) {
      for (const name of names)
        yield {
          name,
          values: toyValues(
            [...parameters, GAIN].find((parameter) => parameter.name === name)!,
            seed,
          ),
        };
    },
    forward: (batch, scope) => forward(batch, scope, onTower),
    generate: async (batch, scope, { maxNewTokens }) => {
      const logits = forward(batch, scope, onTower).logits(null);
      const values = await logits.tensor.data();
      return Array.from({ length: batch.batchSize }, (_, row) => {
        const start = (row * batch.tokenCount + batch.tokenCount - 1) * TOY.vocabulary;
        const scores = Array.from(values.slice(start, start + TOY.vocabulary));
        return Array.from({ length: maxNewTokens }, () => scores.indexOf(Math.max(...scores)));
      });
    },
    save: async () => {},
  };
}

function toyValues({ name, shape }: StoredTensor, seed: number): Float32Array {
  const random = seededRandom(seed, name);
  const size = elementCount(shape);
  return Float32Array.from({ length: size }, () =>
    name.includes("norm") ? 1 + 0.2 * random() : 1.4 * (random() - 0.5),
  );
}

function toySegments({ isTied, hasBuffer }: Required<Pick<ToyOptions, "isTied" | "hasBuffer">>): readonly Segment[] {
  const head = isTied ? "decoder.embed.weight" : "decoder.head.weight";
  const layers = Array.from({ length: TOY.layers }, (_, layer): Segment => ({
    name: `decoder.layers.${layer}`,
    after: [layer === 0 ? "decoder.embed" : `decoder.layers.${layer - 1}`],
    reads: [],
    parameters: [`decoder.layers.${layer}.weight`],
  }));
  return [
    {
      name: "tower",
      after: [],
      reads: ["pixels"],
      parameters: ["tower.linear.weight", "tower.linear.bias", ...(hasBuffer ? [GAIN.name] : [])],
    },
    {
      name: "projector",
      after: ["tower"],
      reads: [],
      parameters: ["projector.linear.weight", "projector.linear.bias"],
    },
    {
      name: "decoder",
      after: ["projector"],
      reads: [],
      parameters: [
        "decoder.embed.weight",
        ...layers.flatMap(({ parameters }) => parameters),
        "decoder.norm.weight",
        head,
      ],
    },
    { name: "decoder.embed", after: ["projector"], reads: [], parameters: ["decoder.embed.weight"] },
    ...layers,
    {
      name: "decoder.head",
      after: [`decoder.layers.${TOY.layers - 1}`],
      reads: [],
      parameters: ["decoder.norm.weight", head],
    },
  ];
}

function forward(batch: LoadedBatch, scope: Scope, onTower: (() => void) | undefined): ModelOutput {
  const pictures = placeholderRows(batch.media, batch.tokenCount);
  let image: Value | undefined;
  if (batch.media.length > 0) {
    const made = scope.segment("tower", [], () => {
      onTower?.();
      const features = tanh(scope.linear(scope.constant(batch.inputs.pixels!.tensor), "tower.linear"));
      return scope.hasParameter(GAIN.name) ? mul(features, scope.parameter(GAIN.name)) : features;
    });
    image = scope.segment("projector", [made], (x) => scope.linear(x!, "projector.linear"));
  }
  const hidden = scope.segment("decoder", image === undefined ? [] : [image], (given) =>
    decode(batch, scope, pictures, given),
  );
  const head = (rows: Int32Array | null, run: (x: Value) => Value): Value =>
    scope.segment("decoder.head", [hidden], (x) => {
      const normed = rmsNorm(x!, scope.parameter("decoder.norm.weight"), 1e-5);
      return run(rows === null ? normed : gatherRows(normed, rows));
    });
  return {
    hidden,
    logits: (rows) => head(rows, (x) => linear(x, scope.parameter("decoder.head.weight"))),
    crossEntropy: (rows, targets, options) =>
      head(rows, (x) => crossEntropy(x, scope.parameter("decoder.head.weight"), targets, options ?? {})),
  };
}

/**
 * `[batch * tokens, hidden]`; each row also sees the row before it, so that pictures matter to the words after them.
 */
function decode(batch: LoadedBatch, scope: Scope, pictures: Int32Array, image: Value | undefined): Value {
  const rows = batch.batchSize * batch.tokenCount;
  let x = scope.segment("decoder.embed", image === undefined ? [] : [image], (given) => {
    const words = embedding(scope.parameter("decoder.embed.weight"), batch.tokenIds, [rows]);
    return given === undefined ? words : scatterRows(words, pictures, reshape(given, [pictures.length, TOY.hidden]));
  });
  const before = Int32Array.from({ length: rows }, (_, row) => (row % batch.tokenCount === 0 ? row : row - 1));
  for (let layer = 0; layer < TOY.layers; layer++) {
    x = scope.segment(`decoder.layers.${layer}`, [x], (input) =>
      add(
        input!,
        tanh(linear(add(input!, gatherRows(input!, before)), scope.parameter(`decoder.layers.${layer}.weight`))),
      ),
    );
  }
  return x;
}
