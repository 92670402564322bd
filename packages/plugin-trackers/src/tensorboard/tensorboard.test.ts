import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, type RunFacts, type Tracker } from "@thaw/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { maskedCrc } from "../records/tf-record.js";
import { decodeEvent, type EventMessage } from "./messages.js";
import { tensorboardTracker } from "./tensorboard-tracker.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-tensorboard-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAADElEQVQI12NgoCYAAABLAAHk1jGVAAAAAElFTkSuQmCC",
  "base64",
);
const facts = {
  name: "run",
  seed: 0,
  model: "m",
  config: { a: 1 },
  training: {},
  runFolder: "",
} as unknown as RunFacts;
const open = (step = 0): Promise<Tracker> => tensorboardTracker({ facts, folder, step, logger: silentLogger });

/** The events of a file, as its framing and checksums have them. */
async function eventsOf(name: string): Promise<readonly EventMessage[]> {
  const bytes = await readFile(join(folder, name));
  const events: EventMessage[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(maskedCrc(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(maskedCrc(data));
    events.push(decodeEvent(data));
    at += 16 + length;
  }
  return events;
}

describe("event files", () => {
  it("have the checksum of TensorFlow's own record_writer", () => {
    // CRC-32C of "123456789" is e3069283 (RFC 3720, B.4)
    expect(maskedCrc(Buffer.from("123456789"))).toBe((((0xe3069283 >>> 15) | (0xe3069283 << 17)) + 0xa282ead8) >>> 0);
  });

  it("hold numbers, texts, pictures, histograms and the config under their steps", async () => {
    const tracker = await open();
    await tracker.record({
      event: "step",
      step: 3,
      epoch: 0,
      loss: 1.5,
      gradientNorm: Number.NaN,
      learningRates: { default: 0.25 },
      gradientNorms: { projector: 2 },
      supervisedTokens: 1,
      tokens: 4,
      durationMs: 2,
    });
    await tracker.record({ event: "baseline", step: 3, name: "held", baseline: "always", metrics: { f1: 0.5 } });
    const [texts, numbers, images] = [{ answer: "ä" }, { f1: 1 }, [{ type: "image/png" as const, bytes: PNG }]];
    await tracker.record({ event: "sample", step: 3, name: "held", index: 7, id: "x", texts, numbers, images });
    await tracker.record({ event: "checkpoint", step: 3, folder: "c", durationMs: 1 });
    const histogram = { min: -1, max: 1, count: 3, sum: 0, sumOfSquares: 2, edges: [-1, 0, 1], counts: [1, 2] };
    await tracker.histograms?.({ step: 4, gradients: { w: histogram }, weights: {} });
    await tracker.close?.();
    const [name = ""] = await readdir(folder);
    expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\./);
    const [version, config, ...events] = await eventsOf(name);
    expect(version).toMatchObject({ fileVersion: "brain.Event:2" });
    expect(String(config!.summary!.value[0]!.tensor!.stringVal[0])).toContain('"a": 1');
    const values = events.flatMap(({ step, summary }) => summary!.value.map((value) => ({ step, ...value })));
    const byTag = Object.fromEntries(values.map(({ tag, ...value }) => [tag, value]));
    expect(byTag).toMatchObject({
      loss: { step: 3, simpleValue: 1.5 },
      gradient_norm: { simpleValue: Number.NaN },
      "gradient_norm/projector": { simpleValue: 2 },
      "learning_rate/default": { simpleValue: 0.25 },
      tokens_per_second: { simpleValue: 2000 },
      "held/always/f1": { simpleValue: 0.5 },
      "held/7-x": { metadata: { pluginData: { pluginName: "text" } } },
      "held/7-x/0": { image: { width: 2, height: 3 } },
      "gradients/w": { step: 4, histo: { bucketLimit: [0, 1], bucket: [1, 2], num: 3 } },
    });
    expect(String(byTag["held/7-x"]!.tensor!.stringVal[0])).toBe("**answer:** ä\n\n**f1:** 1");
    expect(Buffer.from(byTag["held/7-x/0"]!.image!.encodedImageString).equals(PNG)).toBe(true);
  });

  it("say from which step on a run that goes on writes anew", async () => {
    await (await open(5)).close?.();
    const [name = ""] = await readdir(folder);
    expect((await eventsOf(name)).at(-1)).toMatchObject({ step: 6, sessionLog: { status: 1 } });
  });
});
