import { describe, expect, it } from "vitest";
import { type Watched, Worth } from "./worth.js";

/** A run on a clock of its own: passes of `passMs`, in each the stretches given by their milliseconds. */
function setUp(): {
  readonly worth: Worth;
  readonly stretch: () => Watched;
  /** Runs one pass; returns whether each stretch was worth a function before it ran. */
  readonly pass: (passMs: number, stretches: readonly (readonly [Watched, number])[], isRead?: boolean) => boolean[];
  readonly wait: (ms: number) => void;
} {
  let now = 0;
  const worth = new Worth(() => now);
  return {
    worth,
    stretch: () => ({ runs: 0, ms: 0 }),
    pass: (passMs, stretches, isRead = false) => {
      const end = now + passMs;
      const answers = stretches.map(([watched, ms]) => {
        const isWorth = worth.isWorth(watched, isRead);
        worth.begin(watched);
        now += ms;
        worth.end();
        return isWorth;
      });
      now = end;
      worth.endPass();
      return answers;
    },
    wait: (ms) => (now += ms),
  };
}

describe("what compiling is worth", () => {
  it("is nothing before a pass has been measured", () => {
    const { worth, stretch, pass } = setUp();
    const layer = stretch();
    expect(pass(400, [[layer, 100]])).toEqual([false]);
    expect(worth.isWorth(layer, true)).toBe(true);
  });

  it("is seen once the function would have paid for itself, in a run that is long enough", () => {
    const { worth, stretch, pass } = setUp();
    const layer = stretch();
    worth.passesLeft = 1000;
    // All of a pass of 400 ms is the stretch: 200 ms are saved a pass, and 1500 ms are the cost.
    const answers = Array.from({ length: 10 }, () => pass(400, [[layer, 50]])[0]);
    expect(answers.indexOf(true)).toBe(8);
  });

  it("is too little where the run ends before", () => {
    const { worth, stretch, pass } = setUp();
    const layer = stretch();
    const answers = Array.from({ length: 20 }, (_, done) => {
      worth.passesLeft = 14 - done;
      return pass(400, [[layer, 50]])[0];
    });
    expect(answers).not.toContain(true);
  });

  it("is too little for shapes that hardly come again", () => {
    const { worth, stretch, pass } = setUp();
    const shapes = Array.from({ length: 20 }, stretch);
    const answers = Array.from({ length: 160 }, (_, done) => {
      worth.passesLeft = 160 - done;
      return pass(50, [[shapes[done % 20]!, 30]])[0];
    });
    expect(answers).not.toContain(true);
  });

  it("is seen sooner where an earlier run compiled it, and by what functions took", () => {
    const { worth, stretch, pass } = setUp();
    const layer = stretch();
    pass(400, [[layer, 50]]);
    expect([worth.isWorth(layer, true), worth.isWorth(layer, false)]).toEqual([true, false]);
    worth.made(100, false);
    expect(worth.isWorth(layer, false)).toBe(true);
    worth.made(900, false);
    expect(worth.isWorth(layer, false)).toBe(false);
    worth.made(5000, true);
    expect(worth.isWorth(layer, true)).toBe(false);
  });

  it("counts a stretch with what is in it, and no time in which functions were made", () => {
    const { worth, stretch, wait } = setUp();
    const [layer, norm] = [stretch(), stretch()];
    worth.begin(layer);
    wait(10);
    worth.begin(norm);
    wait(5);
    worth.end();
    wait(2000);
    worth.made(2000, false);
    worth.end();
    worth.end();
    worth.endPass();
    expect([layer.ms, norm.ms, layer.runs, norm.runs]).toEqual([15, 5, 1, 1]);
    // The pass took 15 ms as well: 7.5 are saved a time.
    worth.made(-1985, false);
    expect(worth.isWorth(layer, false)).toBe(true);
    worth.made(30, false);
    expect(worth.isWorth(layer, false)).toBe(false);
  });

  it("is nothing inside of a stretch whose own function will pay, unless that cannot be made", () => {
    const { worth, stretch, wait } = setUp();
    const [layer, norm] = [stretch(), stretch()];
    const isNormWorth = (): boolean => {
      worth.begin(layer);
      wait(30);
      let isWorth = false;
      for (let run = 0; run < 4; run++) {
        isWorth = worth.isWorth(norm, false);
        worth.begin(norm);
        wait(10);
        worth.end();
      }
      worth.end();
      worth.endPass();
      return isWorth;
    };
    worth.made(30, false);
    expect([isNormWorth(), isNormWorth(), isNormWorth()]).toEqual([false, false, false]);
    worth.passesLeft = 0.5;
    expect(isNormWorth()).toBe(false);
    worth.passesLeft = Infinity;
    layer.made = null;
    expect(isNormWorth()).toBe(true);
  });

  it("knows a pass by its stretches also where some are functions by now", () => {
    const { worth, stretch, pass, wait } = setUp();
    const [layer, other] = [stretch(), stretch()];
    pass(100, [
      [layer, 40],
      [other, 10],
    ]);
    worth.replaced(layer);
    wait(60);
    worth.endPass();
    // Ratios of 2 and 1.5: the upper one of two is taken, 10 ms a time.
    worth.made(10, false);
    expect(worth.isWorth(other, false)).toBe(true);
    worth.made(12, false);
    expect(worth.isWorth(other, false)).toBe(false);
  });
});
