import { VISUAL_WORD } from "../../connectors/visual-vocabulary.js";

/** The indicators, in the order of `visual_indicator_token_ids`. */
export const INDICATORS = ["<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"] as const;

const [START, GRID, COLUMN, ROW, END] = [0, 1, 2, 3, 4];

/** Tiles down and across; one of each is the whole picture alone. */
export type TileGrid = readonly [rows: number, columns: number];

/** Pictures of the tower's size that one becomes: the whole comes before the tiles that it is cut into. */
export function tileCount([rows, columns]: TileGrid): number {
  return rows * columns === 1 ? 1 : 1 + rows * columns;
}

/**
 * What each token of a picture is: a visual word, or the number of an indicator. Source: transformers 5.24,
 * `processing_ovis2.py`, `replace_image_token`.
 */
export function pictureLayout(grid: TileGrid, wordsPerTile: number): readonly number[] {
  const [rows, columns] = grid;
  const tile = Array.from({ length: wordsPerTile }, () => VISUAL_WORD);
  const tiles =
    tileCount(grid) === 1
      ? []
      : Array.from({ length: rows * columns }, (_, index) => {
          const isLast = index === rows * columns - 1;
          return isLast ? tile : [...tile, (index + 1) % columns === 0 ? ROW : COLUMN];
        });
  return [START, ...tile, GRID, ...tiles.flat(), END];
}
