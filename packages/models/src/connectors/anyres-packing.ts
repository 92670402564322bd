import type { MediaItem } from "@thaw/contracts";
import { linearPlaces, type RowShare } from "../blocks/blend-rows.js";

/** How a model lays the rows of a picture's tiles out. */
export interface AnyresLayout {
  /** Rows a side of a tile. */
  readonly side: number;
  /** Grids of more rows than about so many tiles have shrink. Absent: none does. */
  readonly tileLimit?: number;
}

/** What remains of the grid of a picture's tiles: a window of rows without padding, then as large as this. */
interface PackedGrid {
  readonly top: number;
  readonly left: number;
  readonly window: Size;
  readonly size: Size;
}

interface Size {
  readonly height: number;
  readonly width: number;
}

/** From this factor on, a grid that is too large shrinks. */
const SHRINKING = 1.1;

/** Python's `int(round(value, 7))`. */
function wholePart(value: number): number {
  return Math.trunc(Number(value.toFixed(7)));
}

/**
 * The grid of an item's tiles, its facts `tileGrid` (rows, columns) and `size` (height, width of the picture), without
 * the rows that are padding. Source: transformers 5.24, `modeling_llava_next.py`, `unpad_image`, and
 * `modeling_llava_onevision.py`, `pack_image_features`.
 */
function packedGrid({ facts }: Pick<MediaItem, "facts">, { side, tileLimit }: AnyresLayout): PackedGrid {
  const [rows = 1, columns = 1] = facts["tileGrid"] ?? [];
  const [height = 1, width = 1] = facts["size"] ?? [];
  const whole = { height: rows * side, width: columns * side };
  const isWide = width / height > whole.width / whole.height;
  const top = isWide ? Math.floor((whole.height - wholePart(height * (whole.width / width))) / 2) : 0;
  const left = isWide ? 0 : Math.floor((whole.width - wholePart(width * (whole.height / height))) / 2);
  const window = { height: whole.height - 2 * top, width: whole.width - 2 * left };
  const ratio = tileLimit === undefined ? 1 : Math.sqrt((window.height * window.width) / (tileLimit * side ** 2));
  const size =
    ratio > SHRINKING ? { height: Math.floor(window.height / ratio), width: Math.floor(window.width / ratio) } : window;
  return { top, left, window, size };
}

/** Rows of an item once it is packed: the overview, then its grid, each line closed by one row. */
export function packedRows(item: Pick<MediaItem, "facts">, layout: AnyresLayout): number {
  const { height, width } = packedGrid(item, layout).size;
  return layout.side ** 2 + height * (width + 1);
}

/**
 * Of which rows of all items' tiles, one after the other, overviews first, each packed row is the sum. `newline`: the
 * row that closes lines.
 */
export function packingShares(
  items: readonly Pick<MediaItem, "facts">[],
  layout: AnyresLayout,
  newline: number,
): readonly [RowShare, ...RowShare[]] {
  const { side } = layout;
  const corners = [0, 1, 2, 3].map(() => ({ rows: [] as number[], factors: [] as number[] }));
  const push = (rows: readonly number[], factors: readonly number[]): void =>
    corners.forEach((corner, index) => {
      corner.rows.push(rows[index] ?? rows[0]!);
      corner.factors.push(factors[index] ?? 0);
    });
  let isBlended = false;
  let start = 0;
  for (const item of items) {
    const [tileRows = 1, tileColumns = 1] = item.facts["tileGrid"] ?? [];
    const { top, left, window, size } = packedGrid(item, layout);
    for (let row = 0; row < side ** 2; row++) push([start + row], [1]);
    const first = start + side ** 2;
    const at = (y: number, x: number): number => {
      const tile = Math.floor((top + y) / side) * tileColumns + Math.floor((left + x) / side);
      return first + tile * side ** 2 + ((top + y) % side) * side + ((left + x) % side);
    };
    const isShrunk = size.height !== window.height || size.width !== window.width;
    isBlended ||= isShrunk;
    const [lines, columns] = [linearPlaces(window.height, size.height), linearPlaces(window.width, size.width)];
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        if (!isShrunk) {
          push([at(y, x)], [1]);
          continue;
        }
        const [y0, y1, down] = [lines.first[y]!, lines.second[y]!, lines.nearness[y]!];
        const [x0, x1, right] = [columns.first[x]!, columns.second[x]!, columns.nearness[x]!];
        push(
          [at(y0, x0), at(y0, x1), at(y1, x0), at(y1, x1)],
          [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right],
        );
      }
      push([newline], [1]);
    }
    start += (1 + tileRows * tileColumns) * side ** 2;
  }
  const shares = corners.map(({ rows, factors }) => ({
    rows: Int32Array.from(rows),
    factors: Float32Array.from(factors),
  }));
  return isBlended ? (shares as [RowShare, ...RowShare[]]) : [{ rows: shares[0]!.rows }];
}
