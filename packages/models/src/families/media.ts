import { gatherRows, joinColumns, splitColumns, type Value } from "@thaw/autograd";
import { append, placeholderRows, type LoadedBatch } from "@thaw/contracts";
import { keptPlaces, mixTokens } from "../blocks/merge-features.js";
import type { Addition, Additions } from "../decoders/additions.js";
import type { DecodedBatchInput } from "../passes/decoded-batch.js";
import type { Made } from "./wiring.js";

/**
 * What towers and connectors made, as a decoder's pass reads it. `addedBehind`: see `Composition`; `placeholderId`: see
 * `Decoder`.
 */
export function mediaOf(
  made: readonly Made[],
  batch: LoadedBatch,
  addedBehind: Readonly<Record<string, number>>,
  placeholderId?: number,
): Pick<DecodedBatchInput, "features" | "mix" | "additions"> {
  const places = made.map(({ items }) => placeholderRows(items, batch.tokenCount));
  const outputs = made.map((each) => outputsOf(each, addedBehind));
  const added = outputs.flatMap(({ behind }, end) => [...behind].map(([layer, value]) => ({ layer, value, end })));
  const additions = (rows: Int32Array): Additions => {
    const kept = places.map((stretch) => keptPlaces(stretch, rows));
    const result = new Map<number, Addition[]>();
    for (const { layer, value, end } of added) {
      const { at, chosen } = kept[end]!;
      if (at.length > 0) append(result, layer, { at, rows: chosen === null ? value : gatherRows(value, chosen) });
    }
    return result;
  };
  return {
    features: outputs.map(({ embedded }) => embedded),
    mix: (rows) => mixTokens(batch.tokenIds, places, rows, placeholderId),
    ...(added.length > 0 && { additions }),
  };
}

/** One end's outputs: what tokens become, and what is added behind layers. */
function outputsOf(
  { features, segment: { outputs = [] } }: Made,
  addedBehind: Readonly<Record<string, number>>,
): { readonly embedded: Value; readonly behind: ReadonlyMap<number, Value> } {
  const later = outputs.filter(({ name }) => addedBehind[name] !== undefined);
  if (later.length === 0) return { embedded: features, behind: new Map() };
  const parts = splitColumns(outputs, features);
  const first = outputs.filter(({ name }) => addedBehind[name] === undefined);
  return {
    embedded: joinColumns(first, Object.fromEntries(first.map(({ name }) => [name, parts[name]!]))),
    behind: new Map(later.map(({ name }) => [addedBehind[name]!, parts[name]!])),
  };
}
