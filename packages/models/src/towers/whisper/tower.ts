import { add, gatherRows, scale, type Value } from "@thaw/autograd";
import type { MediaItem } from "@thaw/contracts";
import type { ParameterSpec } from "../../contract/family.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { normed, normSpecs, type NormOptions } from "../../layers/norms.js";
import { plainMlp } from "../../layers/plain-mlp.js";
import { encoder } from "../encoder.js";
import { encoderLayer } from "../encoder-layer.js";
import { stretchSpans } from "../grids.js";
import { INPUT_FEATURES } from "../inputs.js";
import { patchesOf } from "../patches.js";
import type { WhisperConfig } from "./config.js";
import { convolutionSpecs, convolved, type Stretch } from "./convolution.js";

/** Chunks of an item, equally long. */
export interface ClipChunks {
  readonly count: number;
  /** Rows behind the convolutions of each. */
  readonly positions: number;
}

/** What a model takes from a Whisper encoder. */
export interface WhisperUse {
  /** Prefix of the checkpoint's names: `audio_tower`. */
  readonly prefix: string;
  /** What a clip is cut into; the rows of a chunk see one another. */
  chunks(item: MediaItem): ClipChunks;
  /** True if two rows become their mean before the norm; a last one without a second is dropped. */
  readonly isPooled: boolean;
}

const EPSILON = 1e-5;

/** Rows of an item behind the tower. */
export function whisperRows(use: Pick<WhisperUse, "chunks" | "isPooled">, item: MediaItem): number {
  const { count, positions } = use.chunks(item);
  return count * (use.isPooled ? Math.floor(positions / 2) : positions);
}

/**
 * The encoder of Whisper (Radford et al., arXiv:2212.04356) as transformers 5.24 has it in `modeling_qwen2_audio.py`
 * and `modeling_voxtral.py`: two convolutions over three mel frames, the second at every other, stored positions,
 * pre-norm layers whose keys have no bias. Rows that a mask would hide are not computed: no row reads them.
 */
export function whisperTower(config: WhisperConfig, use: WhisperUse, place: TowerPlace): Tower {
  const { hiddenSize, headCount, intermediateSize, activation, melCount, maxPositions } = config;
  const { prefix, isPooled } = use;
  const norm: NormOptions = { kind: "layer", epsilon: EPSILON };
  const lastNorm = `${prefix}.layer_norm`;
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    biases: { keys: false },
    block: plainMlp({ hiddenSize, intermediateSize, activation, names: { whole: "" } }),
    names: { firstNorm: "self_attn_layer_norm", secondNorm: "final_layer_norm" },
  });
  const specs: readonly ParameterSpec[] = [
    ...convolutionSpecs(`${prefix}.conv1`, melCount, hiddenSize),
    ...convolutionSpecs(`${prefix}.conv2`, hiddenSize, hiddenSize),
    { name: `${prefix}.embed_positions.weight`, shape: [maxPositions, hiddenSize], role: "embedding" },
  ];
  const end = {
    specs: normSpecs(lastNorm, hiddenSize, norm),
    rows: (item: MediaItem) => whisperRows(use, item),
    run: (x: Value, items: readonly MediaItem[], scope: Parameters<typeof normed>[3]) =>
      normed(
        isPooled
          ? pooled(
              x,
              items.map((item) => use.chunks(item)),
            )
          : x,
        lastNorm,
        norm,
        scope,
      ),
  };
  return encoder(
    {
      reads: [INPUT_FEATURES],
      hiddenSize,
      embeddings: {
        specs,
        rows(item) {
          const { count, positions } = use.chunks(item);
          return count * positions;
        },
        run(batch, scope, items) {
          const rows = items.map(({ inputs }) => inputs[INPUT_FEATURES]!.rows);
          const frames = scope.constant(patchesOf(batch, place.component, melCount, rows, INPUT_FEATURES));
          const chunks = items.map((item) => use.chunks(item));
          const [first, second] = stretchesOf(rows, chunks);
          const inner = convolved(frames, `${prefix}.conv1`, first, 1, scope);
          const outer = convolved(inner, `${prefix}.conv2`, second, 2, scope);
          const places = chunks.flatMap(({ count, positions }) =>
            Array.from({ length: count * positions }, (_, at) => at % positions),
          );
          const positions = scope.parameter(`${prefix}.embed_positions.weight`);
          return add(outer, gatherRows(positions, Int32Array.from(places)));
        },
      },
      layers: Array.from({ length: config.layerCount }, (_, index) => ({ name: `${prefix}.layers.${index}`, layer })),
      pass(items) {
        const spans = stretchSpans(lengthsOf(items.map((item) => use.chunks(item))));
        return () => ({ spans });
      },
      featureStates: [config.layerCount],
      features: end,
      signature: { tower: "whisper", isPooled, maxPositions },
    },
    place,
  );
}

/** Rows behind the convolutions of every chunk of all items. */
function lengthsOf(chunks: readonly ClipChunks[]): readonly number[] {
  return chunks.flatMap(({ count, positions }) => Array.from({ length: count }, () => positions));
}

/** What both convolutions read and make, chunk by chunk: the second reads no more rows than twice what it makes. */
function stretchesOf(
  rows: readonly number[],
  chunks: readonly ClipChunks[],
): readonly [first: readonly Stretch[], second: readonly Stretch[]] {
  const [first, second]: [Stretch[], Stretch[]] = [[], []];
  let [start, made] = [0, 0];
  for (const [item, { count, positions }] of chunks.entries()) {
    const own = rows[item]! / count;
    const outputs = Math.min(own, 2 * positions);
    for (let chunk = 0; chunk < count; chunk++) {
      first.push({ start, rows: own, outputs });
      second.push({ start: made, rows: outputs, outputs: positions });
      start += own;
      made += outputs;
    }
  }
  return [first, second];
}

/** Means of two rows each, chunk by chunk. */
function pooled(x: Value, chunks: readonly ClipChunks[]): Value {
  const places: number[] = [];
  let start = 0;
  for (const length of lengthsOf(chunks)) {
    for (let at = 0; at + 1 < length; at += 2) places.push(start + at);
    start += length;
  }
  const [even, odd] = [0, 1].map((next) =>
    gatherRows(
      x,
      Int32Array.from(places, (at) => at + next),
    ),
  );
  return scale(add(even!, odd!), 0.5);
}
