import { describe, expect, it } from "vitest";
import { packedRows, packingShares } from "./anyres-packing.js";

const item = (tileGrid: readonly number[], size: readonly number[]) => ({ facts: { tileGrid, size } });

describe("packing", () => {
  it("counts the overview, lines without padding, and one row behind each line", () => {
    // transformers 5.24, LlavaNextProcessor._get_number_of_features(44, 50, 28, 28) and (26, 60, 28, 28), patches of 7.
    const layout = { side: 4 };
    expect(packedRows(item([2, 2], [44, 50]), layout)).toBe(16 + 8 * 9);
    expect(packedRows(item([1, 2], [26, 60]), layout)).toBe(16 + 4 * 9);
  });

  it("drops as much padding on both sides, so that an odd line of it stays", () => {
    const layout = { side: 4 };
    const picture = item([1, 1], [10, 25]);
    const [shares, ...others] = packingShares([picture], layout, 99);
    expect(others).toEqual([]);
    expect([...shares.rows.subarray(16)]).toEqual([20, 21, 22, 23, 99, 24, 25, 26, 27, 99]);
    expect(packedRows(picture, layout)).toBe(shares.rows.length);
  });

  it("takes rows of tiles line by line across tiles, of the second item behind those of the first", () => {
    const layout = { side: 2 };
    const [shares] = packingShares([item([1, 2], [10, 20]), item([1, 1], [10, 10])], layout, 99);
    expect([...shares.rows.subarray(0, 14)]).toEqual([0, 1, 2, 3, 4, 5, 8, 9, 99, 6, 7, 10, 11, 99]);
    expect([...shares.rows.subarray(14)]).toEqual([12, 13, 14, 15, 16, 17, 99, 18, 19, 99]);
  });

  it("blends rows of a grid above the limit, by factors that sum to 1, and leaves other items as they are", () => {
    const layout = { side: 2, tileLimit: 1 };
    const items = [item([2, 2], [20, 20]), item([1, 1], [10, 10])];
    const shares = packingShares(items, layout, 99);
    expect(shares).toHaveLength(4);
    expect(packedRows(items[0]!, layout)).toBe(4 + 2 * 3);
    const sumOf = (row: number): number => shares.reduce((sum, { factors }) => sum + factors![row]!, 0);
    const sums = Array.from(shares[0].rows, (_, row) => sumOf(row));
    expect(sums).toEqual(sums.map(() => 1));
    expect(shares.map(({ rows }) => rows[4])).toEqual([4, 5, 6, 7]);
    expect(shares.map(({ factors }) => factors![4])).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(shares.map(({ factors }) => factors!.at(-2))).toEqual([1, 0, 0, 0]);
  });
});
