import { dirname, resolve } from "node:path";
import { conceptOf } from "./concepts.js";
import { imageRequired, sampleInvalid } from "../errors.js";
import { imageMedia, imageReferences } from "./image-reference.js";
import { type JsonRecord, readRecords } from "./jsonl.js";
import type { ResolvedSourceOptions } from "../formats/options.js";
import type { Sample } from "./sample.js";

type CaptionOptions = Extract<ResolvedSourceOptions, { type: "captions" }>;

/** A picture, a prompt and its caption. */
export function captionMessages(prompt: string, caption: string): Sample["messages"] {
  return [
    { role: "user", content: [{ type: "image" }, ...(prompt === "" ? [] : [{ type: "text" as const, text: prompt }])] },
    { role: "assistant", content: [{ type: "text", text: caption }] },
  ];
}

/** Reads `{ image, caption, id?, name? }`. @throws THAW_DATA_SAMPLE_INVALID, THAW_DATA_IMAGE_REQUIRED */
export function captionSample(
  { value, origin }: JsonRecord,
  options: { readonly folder: string; readonly prompt: string },
): Sample {
  const images = imageReferences(value["image"] ?? value["file_name"], options.folder, origin);
  if (images.length === 0) throw imageRequired(origin, 'Give its path as "image".');
  if (images.length > 1)
    throw sampleInvalid(
      origin,
      `The caption has ${images.length} images.`,
      "Write one image a caption, or use a data set of conversations.",
    );
  const said = value["caption"] ?? value["text"];
  const caption = typeof said === "string" ? said.trim() : "";
  if (caption === "") throw sampleInvalid(origin, "The image has no caption.", 'Give its text as "caption".');
  const { id, name } = value;
  return {
    id: typeof id === "string" || typeof id === "number" ? String(id) : origin,
    origin,
    messages: captionMessages(options.prompt, caption),
    media: imageMedia(images),
    reference: caption,
    concept: typeof name === "string" ? name : conceptOf(caption),
  };
}

/** All captions of a file. */
export async function captionSamples(
  options: CaptionOptions,
  context: { readonly baseFolder: string; readonly captionPrompt: string },
): Promise<Sample[]> {
  const path = resolve(context.baseFolder, options.path);
  const folder = options.images === undefined ? dirname(path) : resolve(context.baseFolder, options.images);
  const samples: Sample[] = [];
  for await (const record of readRecords(path))
    samples.push(captionSample(record, { folder, prompt: options.prompt ?? context.captionPrompt }));
  return samples;
}
