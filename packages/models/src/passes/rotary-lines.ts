import type { Scope } from "@thaw/contracts";
import { addN, gatherND, tensor, tensor2d, tidy, type Tensor } from "@tensorflow/tfjs-core";
import { axisCount, queryLength, rotaryTable, type RotaryOptions, type RotaryTable } from "../blocks/rope.js";
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
  const lines = (tableOf: (lines: RotaryLines) => Tensor): Tensor =>
    scope.own(
      tidy(() => {
        const gathered = parts.map(({ positions, table }) =>
          gatherND(tableOf(table), tensor2d(positions, [positions.length, 1], "int32")),
        );
        return gathered.length === 1 ? gathered[0]! : addN(gathered);
      }),
    ).tensor;
  const turning = { cos: lines(({ cos }) => cos), sin: lines(({ sin }) => sin) };
  if (options.queries === undefined) return turning;
  const queries = { cos: lines((table) => table.queries!.cos), sin: lines((table) => table.queries!.sin) };
  return { ...turning, queries };
}

function tableLines(name: string, count: number, options: RotaryOptions, axis: number, scope: Scope): RotaryLines {
  const lines = (whose: string, lengthOf?: (position: number) => number): Omit<RotaryLines, "queries"> => {
    let table: RotaryTable | undefined;
    const part = (wanted: "cos" | "sin"): Tensor => {
      const make = (): Tensor => {
        table ??= rotaryTable(0, count, options, axis, lengthOf);
        return tensor(table[wanted], [count, 2 * options.frequencies.length]);
      };
      return scope.shared?.(`${whose} rotary ${wanted} ${count}`, make) ?? scope.own(make()).tensor;
    };
    return { cos: part("cos"), sin: part("sin") };
  };
  if (options.queries === undefined) return lines(name);
  return { ...lines(name), queries: lines(`${name} queries`, (position) => queryLength(options, position)) };
}
