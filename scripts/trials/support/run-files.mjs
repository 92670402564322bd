/** What a run folder holds, as files that anybody may have changed; see `parsers.mjs`. */
import { createHash } from "node:crypto";
import { readLog, readMetrics, readSamples } from "../../../packages/core/dist/index.js";
import { readManifest } from "../../../packages/safetensors/dist/index.js";
import { expect } from "./expect.mjs";

const time = "2026-11-28T01:02:03.004Z";
const LINES = {
  metrics: [
    { event: "step", step: 1, epoch: 0, loss: 2.5, gradientNorm: 1, learningRates: { all: 1e-3 } },
    { event: "evaluated", step: 1, epoch: 0, name: "held", metrics: { loss: 2.25 } },
    { event: "baseline", step: 0, name: "held", baseline: "majority", metrics: { exactMatch: 0.5 }, text: "a disc" },
  ].map((line) => (line.event === "step" ? { ...line, supervisedTokens: 3, tokens: 9, durationMs: 4 } : line)),
  events: [
    { event: "started", time, step: 0, totalSteps: 2, planHash: "ab", backend: "cpu", environment: { node: "v22" } },
    { event: "checkpoint", time, step: 1, folder: "checkpoints/step-1", durationMs: 3 },
    { event: "warning", time, step: 1, text: "It differs." },
    { event: "failed", time, step: 2, code: "THAW_X", message: "It failed.", saved: { step: 1, folder: "x" } },
  ],
  samples: [{ event: "sample", step: 1, name: "held", index: 0, id: "a" }].map((line) => ({
    ...line,
    texts: { answer: "a disc" },
    numbers: { exactMatch: 1 },
    images: ["samples/0123.png"],
  })),
};
const READERS = { metrics: readMetrics, events: readLog, samples: readSamples };
const FILES = { "plan.json": { bytes: 2, sha256: "ab", tensors: { x: "cd" } } };
const SUM = createHash("sha256").update(JSON.stringify(FILES)).digest("hex");

/** By name, as `parsers` gives them. */
export async function runFileParsers() {
  const files = Object.entries(LINES).map(([name, lines]) => [
    name,
    {
      name: `${name}.jsonl`,
      bytes: Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join("")),
      links: [],
      read: async (folder) => {
        const read = await READERS[name](folder);
        const steps = read.map(({ step }) => step);
        expect(
          steps.every((step) => typeof step === "number"),
          "a line has no step",
        );
      },
    },
  ]);
  const manifest = {
    name: "thaw-manifest.json",
    bytes: Buffer.from(JSON.stringify({ version: 1, files: FILES, sha256: SUM })),
    links: [],
    read: (folder) => readManifest(folder),
  };
  return { ...Object.fromEntries(files), manifest };
}
