import { shown, type Message, type MessagePart, type Modality, type SampleMedia } from "@thaw/contracts";
import { sampleInvalid } from "../errors/samples.js";
import { bytesMedia, type MediaFolders, mediaReference, MODALITIES } from "./media-reference.js";

/** What reading a turn needs. */
export interface TurnContext {
  readonly folders: MediaFolders;
  /** Names the sample in errors. */
  readonly origin: string;
  /** Roles of the file and what they are here: `{ chatbot: assistant }`. */
  readonly roles: Readonly<Record<string, string>>;
}

/** What data files write for items, whatever the model's own tokens are: `<image>`. */
const PLACEHOLDERS = new RegExp(`<(${MODALITIES.join("|")})>`);
const ROLES: Readonly<Record<string, string>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
};
/** Placeholders of media that a sample cannot bring: left in the text, they would be learned as words. */
const FOREIGN_PLACEHOLDERS = ["<video>"];
/** Keys of a turn that change what it says or whether it is learned, and that are not read. */
const REFUSED_KEYS: Readonly<Record<string, string>> = {
  tool_calls: "Calls of tools are not supported",
  function_call: "Calls of tools are not supported",
  tool_call_id: "Calls of tools are not supported",
  audio: "Spoken answers are not supported",
  video: "Video is not supported",
};

type Json = Readonly<Record<string, unknown>>;

/**
 * Text with placeholders as parts. Blanks between a placeholder and the rest of the text are the file's way to set it
 * apart (LLaVA: `<image>\n`) and go where it begins or ends the text; inside a sentence they belong to the sentence.
 */
export function splitPlaceholders(text: string): MessagePart[] {
  // The expression has a group: kinds stand between the pieces.
  const parts = text.split(PLACEHOLDERS);
  if (parts.length === 1) return [{ type: "text", text }];
  const pieces = parts.filter((_, index) => index % 2 === 0);
  const first = pieces.findIndex((piece) => piece.trim() !== "");
  const last = pieces.findLastIndex((piece) => piece.trim() !== "");
  return pieces.flatMap((piece, index): MessagePart[] => {
    const opened = index === first && index > 0 ? piece.trimStart() : piece;
    const words = index === last && index < pieces.length - 1 ? opened.trimEnd() : opened;
    return [
      ...(index > 0 ? [{ type: parts[2 * index - 1] as Modality }] : []),
      ...(index < first || index > last || first < 0 || words === "" ? [] : [{ type: "text" as const, text: words }]),
    ];
  });
}

function asRecord(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

/** Types of parts that stand for an item, beside the kind's own name. */
const PART_TYPES: Readonly<Record<string, Modality>> = { image_url: "image", audio_url: "audio", input_audio: "audio" };

/**
 * OpenAI's form: `[{ type: "image" | "image_url" | "audio" | "input_audio", ... }, { type: "text", text }]`; items
 * given in place are collected.
 */
function structured(parts: readonly unknown[], inPlace: SampleMedia[], context: TurnContext): MessagePart[] {
  return parts.map((value): MessagePart => {
    const part = asRecord(value);
    const { type, text } = part;
    if (type === "text" && typeof text === "string") return { type, text };
    const modality =
      MODALITIES.find((kind) => kind === type) ??
      (typeof type === "string" && Object.hasOwn(PART_TYPES, type) ? PART_TYPES[type] : undefined);
    if (modality === undefined)
      throw sampleInvalid(
        context.origin,
        `The part ${shown(value)} is neither text nor image nor sound.`,
        'Write { "type": "text", "text" }, { "type": "image" } or { "type": "audio" }.',
      );
    const given = part[modality] ?? part["path"] ?? part["url"] ?? part[type as string];
    if (given !== undefined) inPlace.push(givenMedia(given, modality, context));
    return { type: modality };
  });
}

/** What stands in a part; OpenAI's `input_audio` holds `{ data, format }`, in base64. */
function givenMedia(given: unknown, modality: Modality, { folders, origin }: TurnContext): SampleMedia {
  const { data } = asRecord(given);
  return typeof data === "string" ? bytesMedia(data, modality) : mediaReference(given, modality, folders, origin);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function roleOf(turn: Json, { origin, roles }: TurnContext): string {
  const name = turn["from"] ?? turn["role"];
  if (typeof name !== "string")
    throw sampleInvalid(
      origin,
      `The turn ${shown(turn)} has no role.`,
      'Write { "from": "human" | "gpt", "value" } or { "role", "content" }.',
    );
  const known = { ...ROLES, ...roles };
  if (!Object.hasOwn(known, name))
    throw sampleInvalid(
      origin,
      `The role "${name}" is not known.`,
      `Known are ${Object.keys(known).join(", ")}. ` +
        `Say what it is for the data set, for example roles: { ${name}: assistant }.`,
    );
  return known[name]!;
}

/** Whether an answer is learned: `weight` 0 or 1 as OpenAI has it, `loss` true or false as ms-swift has it. */
function isLearned(turn: Json, origin: string): boolean {
  const values = ["weight", "loss"].flatMap((key) => (isAbsent(turn[key]) ? [] : [{ key, value: turn[key] }]));
  for (const { key, value } of values)
    if (value !== 0 && value !== 1 && typeof value !== "boolean")
      throw sampleInvalid(
        origin,
        `The turn has ${key}: ${shown(value)}.`,
        "An answer is learned whole (1, true) or not at all (0, false).",
      );
  return values.every(({ value }) => Boolean(value));
}

function checkKeys(turn: Json, origin: string): void {
  for (const [key, reason] of Object.entries(REFUSED_KEYS))
    if (!isAbsent(turn[key]))
      throw sampleInvalid(origin, `The turn has "${key}". ${reason}.`, "Leave the sample out, or write it as text.");
}

function checkText(text: string, origin: string): string {
  const foreign = FOREIGN_PLACEHOLDERS.find((placeholder) => text.includes(placeholder));
  if (foreign !== undefined)
    throw sampleInvalid(origin, `The text holds ${foreign}, which no medium stands for.`, "Leave the sample out.");
  return text;
}

/**
 * Reads one turn; items given in place are added to `inPlace`.
 * @throws THAW_DATA_SAMPLE_INVALID for what it says and is not obeyed: unknown roles, weights, calls of tools
 */
export function messageOf(value: unknown, inPlace: SampleMedia[], context: TurnContext): Message {
  const turn = asRecord(value);
  const role = roleOf(turn, context);
  checkKeys(turn, context.origin);
  const said = turn["value"] ?? turn["content"];
  const rest = isLearned(turn, context.origin) ? {} : { isLearned: false };
  if (typeof said === "string") return { role, content: splitPlaceholders(checkText(said, context.origin)), ...rest };
  if (Array.isArray(said)) return { role, content: structured(said, inPlace, context), ...rest };
  throw sampleInvalid(context.origin, `The turn of ${role} has no text.`, 'Write it as "value" or "content".');
}
