import { gelu, joinColumns, reshape, splitColumns, type NamedColumns, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { linearSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { normed, normSpecs, type NormOptions } from "../layers/norms.js";
import { mergedRows } from "../towers/grids.js";
import { oneSegment } from "./one-segment.js";

/** One merger: a norm, two linear layers with GELU between them, over blocks of patches. */
export interface Merger {
  /** The output that it makes, and that of the tower which it reads. */
  readonly output: string;
  readonly names: { readonly norm: string; readonly first: string; readonly second: string };
  readonly norm: NormOptions;
  /** Norms whole blocks instead of patches. */
  readonly normsBlocks?: boolean;
}

/** Sizes of the mergers of Qwen's vision models. */
export interface PatchMergerOptions {
  readonly mergers: readonly [Merger, ...Merger[]];
  /** Columns of what each reads. */
  readonly patchWidth: number;
  readonly outputSize: number;
  /** Patches a side of the blocks that become one row. */
  readonly merge: number;
}

/**
 * Makes one row of each block of patches, which come block by block; with several mergers, one output of each. Source:
 * transformers 5.24, `modeling_qwen2_vl.py`, `PatchMerger`; `modeling_qwen3_vl.py`, `Qwen3VLVisionPatchMerger`.
 */
export function patchMerger(options: PatchMergerOptions, place: ConnectorPlace): Connector {
  const { mergers, patchWidth, outputSize, merge } = options;
  const blockWidth = patchWidth * merge ** 2;
  const parameters = mergers.flatMap(({ names, norm, normsBlocks = false }): readonly ParameterSpec[] => [
    ...normSpecs(names.norm, normsBlocks ? blockWidth : patchWidth, norm),
    ...linearSpecs(names.first, blockWidth, blockWidth, true),
    ...linearSpecs(names.second, blockWidth, outputSize, true),
  ]);
  const columns = (width: number): readonly NamedColumns[] => mergers.map(({ output }) => ({ name: output, width }));
  const outputs = columns(outputSize);
  return oneSegment(place, {
    parameters,
    outputSize: mergers.length * outputSize,
    ...(mergers.length > 1 && { outputs }),
    outputRows: mergedRows(merge),
    run(x, scope) {
      if (mergers.length === 1) return runMerger(mergers[0], x, blockWidth, scope);
      const parts = splitColumns(columns(patchWidth), x);
      return joinColumns(
        outputs,
        Object.fromEntries(
          mergers.map((merger) => [merger.output, runMerger(merger, parts[merger.output]!, blockWidth, scope)]),
        ),
      );
    },
  });
}

/** `[blocks * patches, width]` to `[blocks, output]`. */
function runMerger({ names, norm, normsBlocks = false }: Merger, x: Value, blockWidth: number, scope: Scope): Value {
  const blocks = (rows: Value): Value => reshape(rows, [(rows.shape[0]! * rows.shape[1]!) / blockWidth, blockWidth]);
  const even = normsBlocks ? normed(blocks(x), names.norm, norm, scope) : blocks(normed(x, names.norm, norm, scope));
  return scope.linear(gelu(scope.linear(even, names.first)), names.second);
}
