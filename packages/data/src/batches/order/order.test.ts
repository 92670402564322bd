import fc from "fast-check";
import { expect, it } from "vitest";
import { groupedByLength, paddingShare } from "./length-groups.js";
import { mixedOrder, type MixedPart, samplesPerEpoch } from "./order.js";
import { epochOrder } from "../random.js";

const part = fc.record({ count: fc.integer({ min: 1, max: 40 }) });
const weighted = fc.record({
  count: fc.integer({ min: 1, max: 40 }),
  weight: fc.double({ min: 0.1, max: 9, noNaN: true }),
});
const counted = fc.record({ count: fc.integer({ min: 1, max: 40 }), samples: fc.integer({ min: 1, max: 90 }) });
const parts: fc.Arbitrary<MixedPart[]> = fc.oneof(
  ...[part, weighted, counted].map((one) => fc.array(one, { minLength: 1, maxLength: 4 }) as fc.Arbitrary<MixedPart[]>),
);
const epoch = fc.record({ seed: fc.integer(), epoch: fc.integer({ min: 0, max: 5 }), shuffle: fc.boolean() });
const mix = fc.constantFrom("concatenate" as const, "interleave" as const);

it("gives each set its share, and a set's samples equally often over epochs", () => {
  fc.assert(
    fc.property(parts, mix, epoch, (sets, strategy, options) => {
      const shares = samplesPerEpoch(sets);
      const firsts = sets.map((_, index) => sets.slice(0, index).reduce((sum, { count }) => sum + count, 0));
      const times = sets.map(({ count }) => Array.from({ length: count }, () => 0));
      for (let at = 0; at <= options.epoch; at += 1) {
        const order = mixedOrder(sets, strategy, { ...options, epoch: at });
        const drawn = sets.map(() => 0);
        for (const number of order) {
          const set = firsts.findLastIndex((first) => first <= number);
          drawn[set]! += 1;
          times[set]![number - firsts[set]!]! += 1;
        }
        expect(drawn).toEqual(shares);
        expect(mixedOrder(sets, strategy, { ...options, epoch: at })).toEqual(order);
      }
      for (const own of times) expect(Math.max(...own) - Math.min(...own)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 60 },
  );
});

it("is the order of one set where there is one, and takes turns evenly", () => {
  const options = { seed: 7, epoch: 2, shuffle: true };
  expect(mixedOrder([{ count: 9 }], "interleave", options)).toEqual(epochOrder(9, options));
  expect(mixedOrder([{ count: 4 }, { count: 5 }], "concatenate", options)).toEqual(epochOrder(9, options));
  const turns = [
    ...mixedOrder(
      [
        { count: 6, weight: 2 },
        { count: 3, weight: 1 },
      ],
      "interleave",
      options,
    ),
  ];
  expect(turns.map((number) => (number < 6 ? "a" : "b")).join("")).toBe("abaabaaba");
});

it("groups by length without losing a sample, and pads no more where micro-batches are whole", () => {
  const all = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 9, maxLength: 700 });
  fc.assert(
    fc.property(all, fc.integer({ min: 1, max: 9 }), (given, microBatchSize) => {
      const grouping = { microBatchSize, seed: 1, epoch: 0 };
      const ordered = (count: number): Int32Array => epochOrder(count, { seed: 1, epoch: 0, shuffle: true });
      const grouped = groupedByLength(ordered(given.length), given, grouping);
      expect([...grouped].sort((one, other) => one - other)).toEqual(given.map((_, index) => index));
      const lengths = given.slice(0, given.length - (given.length % microBatchSize));
      const order = ordered(lengths.length);
      expect(paddingShare(groupedByLength(order, lengths, grouping), lengths, microBatchSize)).toBeLessThanOrEqual(
        paddingShare(order, lengths, microBatchSize) + 1e-12,
      );
    }),
    { numRuns: 40 },
  );
});
