import { describe, expect, it } from "vitest";
import { createProgress } from "./progress.js";
import { memoryTerminal } from "./terminal.js";

const RATES = { projector: 1e-3, decoder: 2e-5 };

describe("progress off a terminal", () => {
  it("writes a line every ten seconds and at the end: loss, rates, speed, memory, time that is left", async () => {
    const terminal = memoryTerminal();
    let now = 0;
    const progress = await createProgress(terminal, () => now);
    progress.begin("train", 4);
    for (const [done, time] of [
      [1, 4_000],
      [2, 11_000],
      [3, 12_000],
      [4, 20_000],
    ] as const) {
      now = time;
      progress.step(done, { loss: 1 / done, tokensPerSecond: 1234.4, learningRates: RATES, peakBytes: 85e6 });
    }
    expect(terminal.errText().split("\n")).toEqual([
      "train 2/4  loss 0.5000  rates projector 1.0e-3, decoder 2.0e-5  1,234 tokens/s  85.0 MB  ETA 11 s",
      "train 4/4  loss 0.2500  rates projector 1.0e-3, decoder 2.0e-5  1,234 tokens/s  85.0 MB  20 s",
    ]);
  });

  it("estimates from its own stretch when a run goes on", async () => {
    const terminal = memoryTerminal();
    let now = 0;
    const progress = await createProgress(terminal, () => now);
    progress.begin("train", 200, 100);
    now = 10_000;
    progress.step(110, { loss: 1, tokensPerSecond: 1, learningRates: { projector: 5e-4, decoder: 5e-4 } });
    expect(terminal.errText()).toBe("train 110/200  loss 1.000  rate 5.0e-4  1 tokens/s  ETA 1 min 30 s");
    progress.end();
  });
});
