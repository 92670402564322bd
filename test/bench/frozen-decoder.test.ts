import * as autograd from "@thaw/autograd";
import { expect, it } from "vitest";
import { makeSetting, thawGradient } from "./frozen-decoder.mjs";
import { peakMeter, startWasm } from "./support/wasm.mjs";

it("holds at most 220 MB above the weights of a frozen decoder, and leaves no tensor behind", async () => {
  const tf = await startWasm();
  const setting = makeSetting(tf);
  const before = tf.memory();
  const layouts = new autograd.LayoutCache();
  const { result, peakBytes } = await peakMeter(tf)(() => thawGradient(tf, autograd, setting, layouts));
  layouts.dispose();
  expect(peakBytes - before.numBytes).toBeLessThan(220e6);
  expect(result.every(Number.isFinite) && result.some((value: number) => value !== 0)).toBe(true);
  expect(tf.memory().numTensors).toBe(before.numTensors);
});
