import type { Modality, Sample } from "@thaw/contracts";
import { conceptOf } from "./concepts.js";
import { MEDIA_WORDS, mediaRequired } from "../errors/media.js";
import { sampleInvalid } from "../errors/samples.js";
import { listedMedia, type MediaFolders, MODALITIES } from "./media-reference.js";
import type { JsonRecord } from "../records/records.js";
import { answersIn, learnedOf } from "./answers.js";

/** An item, a prompt and its caption. */
export function captionMessages(prompt: string, caption: string, modality: Modality = "image"): Sample["messages"] {
  const asked = prompt === "" ? [] : [{ type: "text" as const, text: prompt }];
  return [
    { role: "user", content: [{ type: modality }, ...asked] },
    { role: "assistant", content: [{ type: "text", text: caption }] },
  ];
}

function captionsOf(value: JsonRecord["value"], origin: string): readonly string[] {
  const said = value["caption"] ?? value["text"];
  // One caption is a text as it stands, whatever it begins with.
  if (typeof said === "string") return [said.trim()];
  const name = Array.isArray(said) ? "caption" : "captions";
  return answersIn(Array.isArray(said) ? said : value["captions"], name, origin) ?? [];
}

/**
 * Reads `{ image, caption, id?, name? }`, or `audio` instead of the image; of several captions (a list, as `caption` or
 * `captions`) the first is learned, unless another one is there more often.
 * @throws THAW_DATA_SAMPLE_INVALID, THAW_DATA_IMAGE_REQUIRED
 */
export function captionSample(
  { value, origin }: JsonRecord,
  options: { readonly folders: MediaFolders; readonly prompt: string },
): Sample {
  const record = { ...value, image: value["image"] ?? value["file_name"] };
  const media = MODALITIES.flatMap((modality) => listedMedia(record, modality, options.folders, origin));
  const [item] = media;
  if (item === undefined) throw mediaRequired(origin, 'Give its path as "image" or "audio".');
  if (media.length > 1)
    throw sampleInvalid(
      origin,
      `The caption has ${media.length} images or sounds.`,
      "Write one per caption, or use a data set of conversations.",
    );
  const all = captionsOf(value, origin);
  const caption = learnedOf(all) ?? "";
  if (caption === "")
    throw sampleInvalid(origin, `The ${MEDIA_WORDS[item.modality]} has no caption.`, 'Give its text as "caption".');
  const { id, name } = value;
  return {
    id: typeof id === "string" || typeof id === "number" ? String(id) : origin,
    origin,
    messages: captionMessages(options.prompt, caption, item.modality),
    media,
    reference: caption,
    ...(all.length > 1 ? { references: all } : {}),
    concept: typeof name === "string" ? name : conceptOf(caption),
  };
}
