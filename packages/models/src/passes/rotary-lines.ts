import type { Scope } from "@thaw/contracts";
import { addN, gatherND, tensor, tensor2d, tidy, type Tensor } from "@tensorflow/tfjs-core";
import { axisCount, rotaryTable, type RotaryOptions, type RotaryTable } from "../blocks/rope.js";
import type { RotaryLines } from "../decoders/layer-kind.js";

/** Tables of positions have a multiple of this many lines, so that batches of other lengths share them. */
const TABLE_LINES = 64;

/** A kind's rotary positions and the name under which its tables are kept. */
export interface RotarySource {
  readonly name: string;
  readonly options: RotaryOptions;
}

/** Lines for the positions 0 to `count - 1`, as tensors that the scope keeps or frees. */
export function firstLines({ name, options }: RotarySource, count: number, scope: Scope): RotaryLines {
  return tableLines(name, count, { ...options, axes: [] }, 0, scope);
}

/**
 * A line per row, which stands at the given positions, one list per axis: lines of tables that are kept, so that only
 * positions are uploaded. Where the axes agree, or there are fewer than the options follow, the first one turns all.
 */
export function linesAt(source: RotarySource, axes: readonly Int32Array[], scope: Scope): RotaryLines {
  const { name, options } = source;
  const count = axisCount(options);
  const [first] = axes as [Int32Array];
  const isOne = axes.length < count || axes.slice(1, count).every((axis) => axis.every((at, row) => at === first[row]));
  const used = isOne ? [first] : axes.slice(0, count);
  const parts = used.map((positions, axis) => {
    const last = positions.reduce((most, position) => Math.max(most, position), 0);
    const lineCount = Math.ceil((last + 1) / TABLE_LINES) * TABLE_LINES;
    const table = isOne
      ? firstLines(source, lineCount, scope)
      : tableLines(`${name} axis ${axis}`, lineCount, options, axis, scope);
    return { positions, table };
  });
  const lines = (part: "cos" | "sin"): Tensor =>
    scope.own(
      tidy(() => {
        const gathered = parts.map(({ positions, table }) =>
          gatherND(table[part], tensor2d(positions, [positions.length, 1], "int32")),
        );
        return gathered.length === 1 ? gathered[0]! : addN(gathered);
      }),
    ).tensor;
  return { cos: lines("cos"), sin: lines("sin") };
}

function tableLines(name: string, count: number, options: RotaryOptions, axis: number, scope: Scope): RotaryLines {
  let table: RotaryTable | undefined;
  const part = (wanted: "cos" | "sin"): Tensor => {
    const make = (): Tensor => {
      table ??= rotaryTable(0, count, options, axis);
      return tensor(table[wanted], [count, 2 * options.frequencies.length]);
    };
    return scope.shared?.(`${name} rotary ${wanted} ${count}`, make) ?? scope.own(make()).tensor;
  };
  return { cos: part("cos"), sin: part("sin") };
}
