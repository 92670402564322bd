import { dirname, resolve } from "node:path";
import { imageRequired, placeholderMismatch, sampleInvalid } from "../errors.js";
import { imageMedia, imageReferences } from "./image-reference.js";
import { type JsonRecord, readRecords } from "./jsonl.js";
import type { ResolvedSourceOptions } from "../formats/options.js";
import type { ImageReference, Message, Sample } from "./sample.js";
import { messageOf } from "./turns.js";

type ConversationOptions = Extract<ResolvedSourceOptions, { type: "conversations" }>;

/** Keys of a sample that change what it says, and that are not read. */
const REFUSED_KEYS: Readonly<Record<string, string>> = {
  tools: "Tools are not supported",
  functions: "Tools are not supported",
  video: "Video is not supported",
  videos: "Video is not supported",
  audio: "Sound is not supported",
  audios: "Sound is not supported",
  chosen: "Thaw trains by next-token loss alone, not by preferences",
  rejected: "Thaw trains by next-token loss alone, not by preferences",
  rejected_response: "Thaw trains by next-token loss alone, not by preferences",
  kto_tag: "Thaw trains by next-token loss alone, not by preferences",
  history: "Earlier turns are read from the conversation alone",
};

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function checkKeys(value: JsonRecord["value"], origin: string): void {
  for (const [key, reason] of Object.entries(REFUSED_KEYS))
    if (!isEmpty(value[key]))
      throw sampleInvalid(origin, `The sample has "${key}". ${reason}.`, "Leave the sample out, or remove the key.");
}

/** The system prompt of a key of its own (ShareGPT's `system`), as the first message. */
function withSystem(messages: readonly Message[], system: unknown, origin: string): readonly Message[] {
  if (isEmpty(system)) return messages;
  if (typeof system !== "string")
    throw sampleInvalid(origin, `"system" is ${JSON.stringify(system)}.`, "Give the system prompt as text.");
  if (messages[0]?.role === "system")
    throw sampleInvalid(origin, 'The sample has "system" and a first turn of the role system.', "Keep one of them.");
  return [{ role: "system", content: [{ type: "text", text: system }] }, ...messages];
}

function answerOf(messages: readonly Message[], origin: string): string {
  const last = messages[messages.length - 1];
  const text =
    last?.role === "assistant"
      ? last.content
          .map((part) => (part.type === "text" ? part.text : ""))
          .join("")
          .trim()
      : "";
  if (text === "")
    throw sampleInvalid(
      origin,
      "The conversation does not end with an answer.",
      "Close it with a non-empty turn of the assistant (gpt).",
    );
  if (messages.every(({ role, isLearned }) => role !== "assistant" || isLearned === false))
    throw sampleInvalid(origin, "No answer of the conversation is learned.", "Leave the sample out.");
  return text;
}

/** Images without any placeholder stand before the first question, as TRL's `prepare_multimodal_messages` puts them. */
function withLeadingImages(messages: readonly Message[], count: number): Message[] {
  const first = messages.findIndex(({ role }) => role === "user");
  return messages.map((message, index) =>
    index === first
      ? {
          ...message,
          content: [...Array.from({ length: count }, () => ({ type: "image" as const })), ...message.content],
        }
      : message,
  );
}

/**
 * Reads one conversation. @throws THAW_DATA_SAMPLE_INVALID, THAW_DATA_IMAGE_REQUIRED, THAW_DATA_PLACEHOLDER_MISMATCH
 */
export function conversationSample(
  { value, origin }: JsonRecord,
  options: {
    readonly folder: string;
    readonly textOnly: boolean;
    readonly roles?: Readonly<Record<string, string>> | undefined;
  },
): Sample {
  checkKeys(value, origin);
  const turns = value["conversations"] ?? value["messages"];
  if (!Array.isArray(turns) || turns.length === 0)
    throw sampleInvalid(
      origin,
      "The sample has no conversation.",
      'Write its turns as "conversations" (LLaVA) or "messages" (ShareGPT).',
    );
  const inPlace: ImageReference[] = [];
  const context = { folder: options.folder, origin, roles: options.roles ?? {} };
  const said = turns.map((turn) => messageOf(turn, inPlace, context));
  const messages = withSystem(said, value["system"], origin);
  const listed = imageReferences(value["images"] ?? value["image"], options.folder, origin);
  const images = listed.length > 0 ? listed : inPlace;
  const placeholders = messages.flatMap(({ content }) => content).filter(({ type }) => type === "image").length;
  if (images.length === 0 && placeholders === 0 && !options.textOnly)
    throw imageRequired(origin, "Add an image, or set text_only: true for the data set to accept such samples.");
  if (placeholders > 0 && placeholders !== images.length)
    throw placeholderMismatch(origin, placeholders, images.length);
  const reference = answerOf(messages, origin);
  const id = value["id"];
  return {
    id: typeof id === "string" || typeof id === "number" ? String(id) : origin,
    origin,
    messages: placeholders === 0 && images.length > 0 ? withLeadingImages(messages, images.length) : messages,
    media: imageMedia(images),
    reference,
  };
}

/** All conversations of a file. */
export async function conversationSamples(options: ConversationOptions, baseFolder: string): Promise<Sample[]> {
  const path = resolve(baseFolder, options.path);
  const folder = options.images === undefined ? dirname(path) : resolve(baseFolder, options.images);
  const samples: Sample[] = [];
  for await (const record of readRecords(path))
    samples.push(conversationSample(record, { folder, textOnly: options.textOnly, roles: options.roles }));
  return samples;
}
