import { shown, type Message, type Modality, type Sample, type SampleMedia } from "@thaw/contracts";
import { mediaRequired, placeholderMismatch } from "../errors/media.js";
import { sampleInvalid } from "../errors/samples.js";
import { listedMedia, type MediaFolders, MODALITIES } from "./media-reference.js";
import type { JsonRecord } from "../records/records.js";
import { type ChoiceStyle, judgedBy, listChoices } from "./answers.js";
import { messageOf, type TurnContext } from "./turns.js";

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

/** The last answer; undefined where the conversation ends with something else. */
function lastAnswer(messages: readonly Message[]): string | undefined {
  const last = messages[messages.length - 1];
  if (last?.role !== "assistant") return undefined;
  return last.content
    .map((part) => (part.type === "text" ? part.text : ""))
    .join("")
    .trim();
}

function answerOf(messages: readonly Message[], origin: string): string {
  const text = lastAnswer(messages) ?? "";
  if (text === "")
    throw sampleInvalid(
      origin,
      "The conversation does not end with an answer.",
      'Close it with a non-empty turn of the assistant (gpt), or give its "answers" as a list.',
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

/** How conversations are read. */
export interface ConversationOptions {
  readonly folders: MediaFolders;
  readonly textOnly: boolean;
  readonly roles?: Readonly<Record<string, string>> | undefined;
  /** Of questions outside of a conversation. Default `letters`. */
  readonly choices?: ChoiceStyle | undefined;
}

/** The turns of a record: its conversation, or its question as the only one. */
function turnsIn(value: JsonRecord["value"], style: ChoiceStyle | undefined, origin: string): readonly unknown[] {
  const turns = value["conversations"] ?? value["messages"];
  if (Array.isArray(turns) && turns.length > 0) return turns;
  const { question } = value;
  if (isEmpty(turns) && (typeof question === "string" || typeof question === "number")) {
    const content = style === "letters" ? listChoices(String(question), value, origin) : String(question);
    return [{ role: "user", content }];
  }
  throw sampleInvalid(
    origin,
    "The sample has no conversation.",
    'Write its turns as "conversations" (LLaVA) or "messages" (ShareGPT), or a "question" with its "answers".',
  );
}

/**
 * Reads one conversation, or one question with its answers.
 * @throws THAW_DATA_SAMPLE_INVALID, THAW_DATA_IMAGE_REQUIRED, THAW_DATA_PLACEHOLDER_MISMATCH
 */
export function conversationSample({ value, origin }: JsonRecord, options: ConversationOptions): Sample {
  checkKeys(value, origin);
  const isTold = !isEmpty(value["conversations"] ?? value["messages"]);
  const style = isTold ? undefined : (options.choices ?? "letters");
  const turns = turnsIn(value, style, origin);
  const inPlace: SampleMedia[] = [];
  const { folders, roles = {} } = options;
  const context: TurnContext = { folders, origin, roles };
  const said = turns.map((turn) => messageOf(turn, inPlace, context));
  const { answer, ...judged } = judgedBy(value, lastAnswer(said), style, origin);
  if (answer !== undefined) said.push(messageOf({ role: "assistant", content: answer }, inPlace, context));
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
    ...judged,
  };
}
