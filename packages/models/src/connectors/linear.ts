import { reshape } from "@thaw/autograd";
import type { MediaItem } from "@thaw/contracts";
import { linearSpecs } from "../blocks/specs.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { oneSegment } from "./one-segment.js";

/** A projector of one linear layer. */
export interface LinearProjectorOptions {
  /** The layer's name: `multi_modal_projector.linear`. */
  readonly name: string;
  readonly outputSize: number;
  readonly hasBias: boolean;
  /** Rows that become one, side by side: how many, one after the other, and those of an item then. Absent: none. */
  readonly merged?: { readonly count: number; rows(item: MediaItem): number };
}

/** One linear layer, row by row, or block by block of rows. */
export function linearProjector(
  { name, outputSize, hasBias, merged }: LinearProjectorOptions,
  place: ConnectorPlace,
): Connector {
  const count = merged?.count ?? 1;
  const width = place.inputSize * count;
  return oneSegment(place, {
    parameters: linearSpecs(name, width, outputSize, hasBias),
    outputSize,
    ...(merged !== undefined && { outputRows: (item: MediaItem) => merged.rows(item) }),
    run: (x, scope) => scope.linear(count === 1 ? x : reshape(x, [x.shape[0]! / count, width]), name),
  });
}
