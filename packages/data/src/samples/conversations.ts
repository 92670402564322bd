import { dirname, resolve } from "node:path";
import { imageRequired, placeholderMismatch, sampleInvalid } from "../errors.js";
import { imageReference, imageReferences } from "./image-reference.js";
import { type JsonRecord, readRecords } from "./jsonl.js";
import type { ResolvedSourceOptions } from "../formats/options.js";
import type { ImageReference, Message, MessagePart, Sample } from "./sample.js";

type ConversationOptions = Extract<ResolvedSourceOptions, { type: "conversations" }>;

/** What data files write for an image, whatever the model's own token is. */
const PLACEHOLDER = "<image>";
const ROLES: Readonly<Record<string, string>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
};

/**
 * Text with placeholders as parts. Blanks beside a placeholder are the file's way to set it apart (LLaVA: `<image>\n`)
 * and go.
 */
function splitPlaceholders(text: string): MessagePart[] {
  const pieces = text.split(PLACEHOLDER);
  if (pieces.length === 1) return [{ type: "text", text }];
  return pieces.flatMap((piece, index): MessagePart[] => {
    const trimmed = piece.trim();
    return [
      ...(index > 0 ? [{ type: "image" as const }] : []),
      ...(trimmed === "" ? [] : [{ type: "text" as const, text: trimmed }]),
    ];
  });
}

/**
 * OpenAI's form: `[{ type: "image" | "image_url", ... }, { type: "text", text }]`; images given in place are collected.
 */
function structured(
  parts: readonly unknown[],
  inPlace: ImageReference[],
  folder: string,
  origin: string,
): MessagePart[] {
  return parts.flatMap((part): MessagePart[] => {
    const {
      type,
      text,
      image,
      path,
      url,
      image_url: imageUrl,
    } = (typeof part === "object" && part !== null ? part : {}) as Readonly<Record<string, unknown>>;
    if (type === "text" && typeof text === "string") return [{ type: "text", text }];
    if (type !== "image" && type !== "image_url")
      throw sampleInvalid(
        origin,
        `The part ${JSON.stringify(part)} is neither text nor image.`,
        'Write { "type": "text", "text" } or { "type": "image" }.',
      );
    const given = image ?? path ?? url ?? imageUrl;
    if (given !== undefined) inPlace.push(imageReference(given, folder, origin));
    return [{ type: "image" }];
  });
}

function messageOf(turn: unknown, inPlace: ImageReference[], folder: string, origin: string): Message {
  const { from, role, value, content } = (typeof turn === "object" && turn !== null ? turn : {}) as Readonly<
    Record<string, unknown>
  >;
  const name = from ?? role;
  const known = typeof name === "string" ? (ROLES[name] ?? name) : undefined;
  const said = value ?? content;
  if (known === undefined)
    throw sampleInvalid(
      origin,
      `The turn ${JSON.stringify(turn)} has no role.`,
      'Write { "from": "human" | "gpt", "value" } or { "role", "content" }.',
    );
  if (typeof said === "string") return { role: known, content: splitPlaceholders(said) };
  if (Array.isArray(said)) return { role: known, content: structured(said, inPlace, folder, origin) };
  throw sampleInvalid(origin, `The turn of ${known} has no text.`, 'Write it as "value" or "content".');
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
  options: { readonly folder: string; readonly textOnly: boolean },
): Sample {
  const turns = value["conversations"] ?? value["messages"];
  if (!Array.isArray(turns) || turns.length === 0)
    throw sampleInvalid(
      origin,
      "The sample has no conversation.",
      'Write its turns as "conversations" (LLaVA) or "messages" (ShareGPT).',
    );
  const inPlace: ImageReference[] = [];
  const messages = turns.map((turn) => messageOf(turn, inPlace, options.folder, origin));
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
    images,
    reference,
  };
}

/** All conversations of a file. */
export async function conversationSamples(options: ConversationOptions, baseFolder: string): Promise<Sample[]> {
  const path = resolve(baseFolder, options.path);
  const folder = options.images === undefined ? dirname(path) : resolve(baseFolder, options.images);
  const samples: Sample[] = [];
  for await (const record of readRecords(path))
    samples.push(conversationSample(record, { folder, textOnly: options.textOnly }));
  return samples;
}
