import { add, AttentionSpans, embedding, gatherRows, type Value } from "@thaw/autograd";
import type { MediaItem } from "@thaw/contracts";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { normed, normSpecs } from "../../layers/norms.js";
import { plainMlp } from "../../layers/plain-mlp.js";
import { encoder } from "../encoder.js";
import { encoderLayer } from "../encoder-layer.js";
import { frameSpans, type Grid, gridsOf, patchCount, patchesOfGrids } from "../grids.js";
import { tablePlaces } from "../idefics3/positions.js";
import { PIXEL_VALUES } from "../inputs.js";
import { embedPatches, patchEmbeddingSpecs, patchesOf, patchWidth } from "../patches.js";
import { placeOf } from "@thaw/data";
import type { MiniCpmVisionConfig } from "./config.js";
import { WINDOW, windowMerger } from "./window-merger.js";

/**
 * The tower of MiniCPM-V 4.6: SigLIP's layers over slices of any grid, which an item's fact `grids` says; behind one of
 * them windows of 2x2 patches become one row, so that later layers see a quarter of the rows. Patches come in the order
 * of windows, or row by row where there are none. Features come in the order of blocks of 2x2 rows. Source:
 * transformers 5.24, `modeling_minicpmv4_6.py`.
 */
export function miniCpmTower(config: MiniCpmVisionConfig, prefix: string, place: TowerPlace): Tower {
  const { hiddenSize, intermediateSize, headCount, activation, layerCount, places, mergesBehind } = config;
  const norm = { kind: "layer", epsilon: config.epsilon } as const;
  const patch = {
    name: `${prefix}.embeddings.patch_embedding`,
    hiddenSize,
    kernel: [config.channelCount, config.patchSize, config.patchSize],
    hasBias: true,
  };
  const table = `${prefix}.embeddings.position_embedding.weight`;
  const lastNorm = `${prefix}.post_layernorm`;
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    block: plainMlp({ hiddenSize, intermediateSize, activation }),
  });
  const merger = { name: `${prefix}.vit_merger`, layer: windowMerger(config) };
  const plain = Array.from({ length: layerCount }, (_, index) => ({
    name: `${prefix}.encoder.layers.${index}`,
    layer,
  }));
  const isMerging = mergesBehind !== undefined;
  const at = isMerging ? mergesBehind + 1 : layerCount;
  const side = isMerging ? 2 : 1;
  const laterGrids = (items: readonly MediaItem[]): readonly Grid[] =>
    items.flatMap(gridsOf).map(({ frames, rows, columns }) => ({ frames, rows: rows / side, columns: columns / side }));
  const rowsOf = (item: MediaItem): number => patchesOfGrids(item) / side ** 2;
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: [...patchEmbeddingSpecs(patch), { name: table, shape: [places ** 2, hiddenSize], role: "embedding" }],
        rows: patchesOfGrids,
        run(batch, scope, items) {
          const patches = patchesOf(batch, place.component, patchWidth(patch), items.map(patchesOfGrids));
          const ids = tablePlaces(items.flatMap(gridsOf), side, places, (index, count) => index / count);
          const positions = embedding(scope.parameter(table), ids, [ids.length]);
          return add(embedPatches(patches, patch, scope), positions);
        },
      },
      layers: isMerging ? [...plain.slice(0, at), { ...merger, rows: rowsOf }, ...plain.slice(at)] : plain,
      pass(items) {
        const grids = items.flatMap(gridsOf);
        const count = grids.reduce((total, grid) => total + patchCount(grid), 0);
        const before = { spans: frameSpans(grids) };
        const windows = { spans: AttentionSpans.even(count / WINDOW, WINDOW, false) };
        const behind = { spans: frameSpans(laterGrids(items)) };
        return (index) => (index < at ? before : index === at ? windows : behind);
      },
      featureStates: [layerCount + (isMerging ? 1 : 0)],
      norm: {
        specs: normSpecs(lastNorm, hiddenSize, norm),
        run: (x, _items, scope) => normed(x, lastNorm, norm, scope),
      },
      features: { specs: [], rows: rowsOf, run: (x, items) => byBlocks(x, laterGrids(items)) },
      unused: isMerging ? [] : merger.layer.specs(merger.name),
      signature: { tower: "minicpm", patchSize: config.patchSize, places, mergesBehind },
    },
    place,
  );
}

/** Rows of grids, row by row, in the order of blocks of 2x2. */
function byBlocks(x: Value, grids: readonly Grid[]): Value {
  const order: number[] = [];
  for (const grid of grids) {
    const first = order.length;
    for (let index = 0; index < patchCount(grid); index++) {
      const [row, column] = placeOf(index, grid.columns, 2);
      order.push(first + row * grid.columns + column);
    }
  }
  return gatherRows(x, Int32Array.from(order));
}
