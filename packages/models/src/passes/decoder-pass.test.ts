import { AttentionSpans, Tape } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import type { Decoder } from "../decoders/decoder.js";
import { rowsPass } from "./decoder-pass.js";

it("makes tables that outlive the layer that reads them first", async () => {
  await setBackend("cpu");
  const before = memory().numTensors;
  const tape = new Tape();
  const offsets = Int32Array.of(0, 1);
  const full = { name: "full", rotary: { frequencies: Float64Array.of(1, 0.1) } };
  const decoder = { outputWeight: "head", kinds: [full], kindOf: () => "full" } as unknown as Decoder;
  const rows = { axes: [Int32Array.of(5)], offsets, bothWays: [] };
  const seen = () => ({ spans: AttentionSpans.causal(offsets), offsets });
  const scope = { own: (tensor) => tape.own(tensor), shared: (key, make) => tape.shared(key, make) } as Scope;
  tape.tidy(() => {
    const pass = rowsPass(decoder, { ...rows, seen }, scope);
    tape.tidy(() => [tape.constant(pass.of("full").rotary!.cos)]);
    expect(pass.of("full").rotary!.cos.isDisposed).toBe(false);
    return [];
  });
  tape.dispose();
  expect(memory().numTensors).toBe(before);
});
