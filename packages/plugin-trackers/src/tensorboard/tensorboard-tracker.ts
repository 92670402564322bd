import { open } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { imageSize } from "image-size";
import {
  eventNumbers,
  makeFolders,
  type Histogram,
  type RunEvent,
  type SampleEvent,
  type Tracker,
  type TrackerMaking,
} from "@thaw/core";
import { tfRecord } from "../records/tf-record.js";
import { encodeEvent, SESSION_START, STRING_TYPE, type EventMessage, type SummaryValue } from "./messages.js";

/** Of `Summary.Image.colorspace`: RGB; TensorBoard reads the picture's own. */
const RGB = 3;

/**
 * An event file for each part of a run: one that goes on begins a new file, which says from which step on what older
 * files hold is void.
 */
export async function tensorboardTracker({ facts, folder, step }: TrackerMaking): Promise<Tracker> {
  await makeFolders(folder);
  // As TensorBoard's own writer names them: it reads the files of a folder in the order of their names
  const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, "0");
  const file = await open(join(folder, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${step}`), "a");
  const write = async (message: Omit<EventMessage, "wallTime">): Promise<void> => {
    await file.appendFile(tfRecord(encodeEvent({ wallTime: Date.now() / 1000, ...message })));
  };
  await write({ fileVersion: "brain.Event:2" });
  if (step > 0) await write({ step: step + 1, sessionLog: { status: SESSION_START } });
  else await write({ step, summary: { value: [text("config", codeBlock(facts.config))] } });
  return {
    async record(event) {
      const value = valuesOf(event);
      if (value.length > 0) await write({ step: event.step, summary: { value } });
    },
    async histograms({ step: at, gradients, weights }) {
      const value = [...histogramsUnder("gradients", gradients), ...histogramsUnder("weights", weights)];
      await write({ step: at, summary: { value } });
    },
    close: () => file.close(),
  };
}

/** What an event is in TensorBoard: numbers under their names, texts and pictures under the sample's. */
function valuesOf(event: RunEvent): readonly SummaryValue[] {
  switch (event.event) {
    case "step":
    case "evaluated":
    case "baseline":
      return Object.entries(eventNumbers(event)).map(([tag, simpleValue]) => ({ tag, simpleValue }));
    case "sample":
      return sampleValues(event);
    case "warning":
      return [text("warnings", event.text)];
    case "done":
      return [text("summary", [`Ended: ${event.summary.stopReason}.`, ...event.summary.lines].join("\n\n"))];
    case "failed":
      return [text("summary", `Failed: ${event.message}`)];
    default:
      return [];
  }
}

function sampleValues({ name, index, id, texts, numbers, images }: SampleEvent): readonly SummaryValue[] {
  const place = `${name}/${index}-${id}`;
  const lines = [...Object.entries(texts), ...Object.entries(numbers)].map(([key, value]) => `**${key}:** ${value}`);
  const pictures = images.map(({ bytes }, number): SummaryValue => {
    const { width, height } = imageSize(bytes);
    return { tag: `${place}/${number}`, image: { width, height, colorspace: RGB, encodedImageString: bytes } };
  });
  return [text(place, lines.join("\n\n")), ...pictures];
}

/** Markdown, as TensorBoard's page of texts shows it. */
function text(tag: string, markdown: string): SummaryValue {
  return {
    tag,
    metadata: { pluginData: { pluginName: "text" } },
    tensor: { dtype: STRING_TYPE, tensorShape: { dim: [{ size: 1 }] }, stringVal: [Buffer.from(markdown)] },
  };
}

function codeBlock(value: unknown): string {
  return `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
}

function histogramsUnder(place: string, all: Readonly<Record<string, Histogram>>): readonly SummaryValue[] {
  return Object.entries(all).map(([name, { min, max, count, sum, sumOfSquares, edges, counts }]) => ({
    tag: `${place}/${name}`,
    histo: { min, max, num: count, sum, sumSquares: sumOfSquares, bucketLimit: edges.slice(1), bucket: counts },
  }));
}
