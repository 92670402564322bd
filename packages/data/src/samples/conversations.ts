import { shown, type Message, type Modality, type Sample, type SampleMedia } from "@thaw/contracts";
import { mediaRequired, placeholderMismatch } from "../errors/media.js";
import { sampleInvalid } from "../errors/samples.js";
import { listedMedia, type MediaFolders, MODALITIES } from "./media-reference.js";
import type { JsonRecord } from "../records/records.js";
import { messageOf } from "./turns.js";

/** Keys of a sample that change what it says, and that are not read. */
const REFUSED_KEYS: Readonly<Record<string, string>> = {
  tools: "Tools are not supported",
  functions: "Tools are not supported",
  video: "Video is not supported",
  videos: "Video is not supported",
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
    throw sampleInvalid(origin, `"system" is ${shown(system)}.`, "Give the system prompt as text.");
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

/** Items without any placeholder stand before the first question, as TRL's `prepare_multimodal_messages` puts them. */
function withLeading(
  messages: readonly Message[],
  modalities: readonly Modality[],
  origin: string,
): readonly Message[] {
  const [modality] = modalities;
  if (modality === undefined) return messages;
  const first = messages.findIndex(({ role }) => role === "user");
  if (first < 0) throw placeholderMismatch(origin, modality, 0, modalities.length);
  const parts = modalities.map((type) => ({ type }));
  return messages.map((message, index) =>
    index === first ? { ...message, content: [...parts, ...message.content] } : message,
  );
}

function kindsOf(messages: readonly Message[]): readonly Modality[] {
  return messages.flatMap(({ content }) => content.flatMap(({ type }) => (type === "text" ? [] : [type])));
}

/**
 * Messages that have a place for every item, and the items in order of their places. Of each kind those that the record
 * lists count, or where it lists none, those given in place. @throws THAW_DATA_PLACEHOLDER_MISMATCH
 */
function placed(
  messages: readonly Message[],
  listed: readonly SampleMedia[],
  inPlace: readonly SampleMedia[],
  origin: string,
): Pick<Sample, "messages" | "media"> {
  const places = kindsOf(messages);
  const leading: Modality[] = [];
  const queues = new Map<Modality, readonly SampleMedia[]>();
  for (const modality of MODALITIES) {
    const [own, given] = [listed, inPlace].map((items) => items.filter((item) => item.modality === modality));
    const items = own!.length > 0 ? own! : given!;
    const count = places.filter((kind) => kind === modality).length;
    if (count > 0 && count !== items.length) throw placeholderMismatch(origin, modality, count, items.length);
    if (count === 0) leading.push(...items.map(() => modality));
    queues.set(modality, items);
  }
  const next = new Map([...queues].map(([modality, items]) => [modality, items.values()]));
  const whole = withLeading(messages, leading, origin);
  return { messages: whole, media: kindsOf(whole).map((modality) => next.get(modality)!.next().value!) };
}

/**
 * Reads one conversation. @throws THAW_DATA_SAMPLE_INVALID, THAW_DATA_IMAGE_REQUIRED, THAW_DATA_PLACEHOLDER_MISMATCH
 */
export function conversationSample(
  { value, origin }: JsonRecord,
  options: {
    readonly folders: MediaFolders;
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
  const inPlace: SampleMedia[] = [];
  const { folders, roles = {} } = options;
  const said = turns.map((turn) => messageOf(turn, inPlace, { folders, origin, roles }));
  const asked = withSystem(said, value["system"], origin);
  const listed = MODALITIES.flatMap((modality) => listedMedia(value, modality, folders, origin));
  const { messages, media } = placed(asked, listed, inPlace, origin);
  if (media.length === 0 && !options.textOnly)
    throw mediaRequired(origin, "Add one, or set text_only: true for the data set to accept such samples.");
  const reference = answerOf(messages, origin);
  const id = value["id"];
  return {
    id: typeof id === "string" || typeof id === "number" ? String(id) : origin,
    origin,
    messages,
    media,
    reference,
  };
}
