import { concat, reshape } from "@thaw/autograd";
import { blendRows } from "../blocks/blend-rows.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { packedRows, packingShares, type AnyresLayout } from "./anyres-packing.js";
import { mlpSpecs, runMlp, type MlpProjectorConfig } from "./mlp.js";
import { oneSegment } from "./one-segment.js";

/** Sizes of the projector of LLaVA-NeXT and LLaVA-OneVision. */
export interface AnyresMlpConfig extends MlpProjectorConfig, AnyresLayout {
  /** Name of the vector that closes each line of a picture: `image_newline`. */
  readonly newline: string;
}

/**
 * LLaVA's projector on the tiles of pictures, whose rows are then packed: the overview, then the grid of all tiles
 * without padding, each line closed by a learned vector. Source: transformers 5.24, `modeling_llava_next.py` and
 * `modeling_llava_onevision.py`, `pack_image_features`.
 */
export function anyresMlp(config: AnyresMlpConfig, place: ConnectorPlace): Connector {
  const { newline, outputSize } = config;
  const parameters: readonly ParameterSpec[] = [
    ...mlpSpecs(config, place.inputSize),
    { name: newline, shape: [outputSize], role: "embedding" },
  ];
  return oneSegment(place, {
    parameters,
    outputSize,
    outputRows: (item) => packedRows(item, config),
    run(x, scope, items) {
      const last = reshape(scope.parameter(newline), [1, outputSize]);
      const rows = concat([runMlp(x, config, scope), last], 0);
      return blendRows(rows, packingShares(items, config, x.shape[0]!), scope);
    },
  });
}
