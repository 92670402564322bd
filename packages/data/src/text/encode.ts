import { IGNORE_INDEX, ThawError, type Message, type Modality } from "@thaw/contracts";
import { nothingSupervised, sampleTemplateFailed, templateMissing, templateNotIncremental } from "../errors/samples.js";
import { placeholderMismatch } from "../errors/media.js";
import { itemColumns, mediaOf, type ItemPlan, type Processor } from "../media/processor.js";
import type { ChatTemplate } from "./chat-template.js";

/** Ids of a conversation; `labels[i]` is `tokenIds[i]` where the token is learned, -100 elsewhere, not shifted. */
export interface EncodedConversation {
  readonly tokenIds: readonly number[];
  readonly labels: readonly number[];
  /** Of each item, where the tokens are that its features stand in for. */
  readonly columns: readonly Int32Array[];
}

/** Ids that a model continues with an answer. */
export type EncodedPrompt = Pick<EncodedConversation, "tokenIds" | "columns">;

/** What an encoding needs beside the messages. */
export interface EncodeOptions {
  /** One per item, in order of appearance in the messages. */
  readonly plans: readonly ItemPlan[];
  /** Names the sample in errors. */
  readonly origin: string;
}

/** Blanks as SentencePiece, byte-level BPE and byte fallback write them. */
const BLANK_TOKEN = /^(?:[\s▁ĠĊĉč]|<0x0[9AD]>|<0x20>)+$/u;

/** Text of a conversation whose answers are the spans between each even and odd bound, as string offsets. */
interface Rendered {
  readonly text: string;
  readonly spans: readonly { readonly start: number; readonly end: number; readonly said: string }[];
}

function isAnswer(message: Message): boolean {
  return message.role === "assistant";
}

function plainText(message: Message): string {
  return message.content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** `<image>Caption: a red apple`: the form of checkpoints without a template. */
function renderPlain(messages: readonly Message[], processor: Processor, origin: string): Rendered {
  const answered = messages.length > 0 && isAnswer(messages[messages.length - 1] as Message);
  const questions = answered ? messages.slice(0, -1) : messages;
  if (questions.length !== 1 || questions[0]?.role !== "user") throw templateMissing(origin, processor.source);
  const prompt = questions[0].content
    .map((part) => (part.type === "text" ? part.text : mediaOf(processor, part.type, origin).placeholder))
    .join("");
  if (!answered) return { text: prompt, spans: [] };
  const said = plainText(messages[messages.length - 1] as Message);
  const text = `${prompt} ${said}`;
  return { text, spans: [{ start: prompt.length, end: text.length, said }] };
}

/**
 * Where an answer begins in its rendered turn: behind the prompt that asks for it. A prompt that opens what the answer
 * does not have (a thought) asks for it as far as both agree. Undefined if the turn does not go on from what was said.
 */
function answerStart(template: ChatTemplate, before: readonly Message[], turn: string): number | undefined {
  const prompt = template.render(before, { addGenerationPrompt: true });
  if (turn.startsWith(prompt)) return prompt.length;
  const said = before.length === 0 ? "" : template.render(before);
  return turn.startsWith(said) && prompt.startsWith(said) ? commonPrefix(prompt, turn) : undefined;
}

/** Text and answers of a sample; what the template refuses names the sample. */
function renderSample(messages: readonly Message[], processor: Processor, origin: string): Rendered {
  try {
    return renderTemplate(messages, processor, origin);
  } catch (error) {
    throw error instanceof ThawError && error.code === "THAW_DATA_TEMPLATE"
      ? sampleTemplateFailed(origin, error)
      : error;
  }
}

/** A span without what the template writes behind the answer: the answer's text stands at its beginning. */
function ownText(text: string, { start, end, said }: Rendered["spans"][number]): Rendered["spans"][number] {
  const from = text.indexOf(said, start);
  return { start, end: from < 0 || from + said.length > end ? end : from + said.length, said };
}

/** Renders prefix by prefix: an answer is what its turn adds to the prompt that asks for it. */
function renderTemplate(messages: readonly Message[], processor: Processor, origin: string): Rendered {
  const template = processor.template;
  if (template === undefined) return renderPlain(messages, processor, origin);
  const last = messages[messages.length - 1];
  const answered = last !== undefined && isAnswer(last);
  const text = template.render(messages, { addGenerationPrompt: !answered });
  const spans = [];
  for (const [index, message] of messages.entries()) {
    if (!isAnswer(message) || message.isLearned === false) continue;
    const turn = template.render(messages.slice(0, index + 1));
    const start = answerStart(template, messages.slice(0, index), turn);
    if (!text.startsWith(turn) || start === undefined) throw templateNotIncremental(origin, processor.source);
    spans.push({ start, end: turn.length, said: plainText(message).trim() });
  }
  return { text, spans };
}

/** An item of the messages: its kind, and what becomes of it. */
interface PlannedItem {
  readonly modality: Modality;
  readonly plan: ItemPlan;
  /** Its expanded placeholder, with its number if it has one. */
  readonly text: string;
}

/** Items with their plans, in order of appearance. @throws THAW_DATA_PLACEHOLDER_MISMATCH */
function plannedItems(messages: readonly Message[], { plans, origin }: EncodeOptions): readonly PlannedItem[] {
  const kinds = messages.flatMap(({ content }) => content.flatMap(({ type }) => (type === "text" ? [] : [type])));
  if (kinds.length !== plans.length) throw placeholderMismatch(origin, kinds[0] ?? "image", kinds.length, plans.length);
  return kinds.map((modality, index) => {
    const plan = plans[index]!;
    const { number, placeholder } = plan;
    if (number === undefined) return { modality, plan, text: placeholder };
    const before = kinds.slice(0, index).filter((kind) => kind === modality).length;
    return { modality, plan, text: number[0] + String(before) + number[1] + placeholder };
  });
}

/** Placeholders of the kinds that the model reads, the longest first: one may begin as another does. */
function placeholders({ media }: Processor): readonly (readonly [Modality, string])[] {
  return (Object.keys(media) as Modality[])
    .map((modality) => [modality, media[modality]!.placeholder] as const)
    .toSorted(([, left], [, right]) => right.length - left.length);
}

/**
 * Puts each item's expanded placeholder in the place of the one that was rendered, kind by kind in order of appearance;
 * `text` may be a prefix.
 */
function expand(text: string, processor: Processor, items: readonly PlannedItem[]): string {
  const known = new Map(placeholders(processor).map(([modality, placeholder]) => [placeholder, modality]));
  const left = new Map(
    [...known.values()].map((modality) => [modality, items.filter((item) => item.modality === modality).values()]),
  );
  const pattern = new RegExp([...known.keys()].map(escaped).join("|"), "g");
  return text.replace(pattern, (found) => left.get(known.get(found)!)!.next().value!.text);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function commonPrefix<Item>(left: ArrayLike<Item>, right: ArrayLike<Item>): number {
  let length = 0;
  while (length < left.length && length < right.length && left[length] === right[length]) length += 1;
  return length;
}

/** True if the last token, blanks aside, ends an answer; one that stands inside an answer ends nothing. */
function isClosed(tokenIds: readonly number[], { tokenizer, endTokenIds }: Processor): boolean {
  const isBlank = (id: number): boolean => BLANK_TOKEN.test(tokenizer.tokenOf(id) ?? "");
  const last = tokenIds.findLast((id) => endTokenIds.includes(id) || !isBlank(id));
  return last !== undefined && endTokenIds.includes(last);
}

/** @throws THAW_DATA_PLACEHOLDER_MISMATCH where a kind's items are not as many as its placeholders in the text */
function checkPlaceholders(text: string, processor: Processor, items: readonly PlannedItem[], origin: string): void {
  let rest = text;
  for (const [modality, placeholder] of placeholders(processor)) {
    const pieces = rest.split(placeholder);
    const count = items.filter((item) => item.modality === modality).length;
    if (pieces.length - 1 !== count) throw placeholderMismatch(origin, modality, pieces.length - 1, count);
    rest = pieces.join(" ");
  }
}

/** Where each item's placeholder tokens are: found here, once, and carried from then on. */
function placeItems(tokenIds: readonly number[], items: readonly PlannedItem[], origin: string): Int32Array[] {
  // Kinds have tokens of their own, so a template may show them in another order than the messages do.
  const next = new Map<number, number>();
  const mismatch = (of: PlannedItem, more: number): Error => {
    const same = items.filter(({ modality }) => modality === of.modality);
    return placeholderMismatch(origin, of.modality, same.length + more, same.length);
  };
  const columns = items.map((item) => {
    const { tokenId } = item.plan;
    const from = next.get(tokenId) ?? 0;
    const found = itemColumns(item.plan, tokenIds, from);
    if (found === undefined) throw mismatch(item, -1);
    next.set(tokenId, (found.at(-1) ?? from - 1) + 1);
    return found;
  });
  for (const item of items)
    if (tokenIds.includes(item.plan.tokenId, next.get(item.plan.tokenId) ?? 0)) throw mismatch(item, 1);
  return columns;
}

/**
 * Encodes a conversation and labels its answers. Spans are found by encoding prefixes, never by character offsets: a
 * span begins at the first token in which the encoding with the answer differs from the prompt's, so a token that spans
 * both is learned. `endToken: "close"` appends the processor's end token where the last answer has none of its ends
 * (LLaVA's own template writes none); `"template"` keeps to what the template says; `"none"` labels the answers' own
 * texts and nothing behind them, as likelihoods of choices are compared.
 * @throws THAW_DATA_PLACEHOLDER_MISMATCH, THAW_DATA_TEMPLATE, THAW_DATA_TEMPLATE_MISSING,
 * THAW_DATA_TEMPLATE_NOT_INCREMENTAL, THAW_DATA_NOTHING_SUPERVISED
 */
export function encodeConversation(
  processor: Processor,
  messages: readonly Message[],
  options: EncodeOptions & { readonly endToken: "template" | "close" | "none" },
): EncodedConversation {
  const { tokenizer } = processor;
  const { text, spans: whole } = renderSample(messages, processor, options.origin);
  const spans = options.endToken === "none" ? whole.map((span) => ownText(text, span)) : whole;
  const items = plannedItems(messages, options);
  checkPlaceholders(text, processor, items, options.origin);
  if (spans.length === 0) throw nothingSupervised(options.origin);
  const encode = (part: string): number[] => tokenizer.encode(expand(part, processor, items));
  const tokenIds = encode(text);
  const labels = tokenIds.map(() => IGNORE_INDEX);
  for (const { start, end } of spans) {
    const first = commonPrefix(encode(text.slice(0, start)), tokenIds);
    const last = end === text.length ? tokenIds.length : commonPrefix(encode(text.slice(0, end)), tokenIds);
    for (let index = first; index < last; index += 1) labels[index] = tokenIds[index] as number;
  }
  if (labels.every((label) => label === IGNORE_INDEX)) throw nothingSupervised(options.origin);
  const endsLearned = messages[messages.length - 1]?.isLearned !== false;
  if (options.endToken === "close" && endsLearned && !isClosed(tokenIds, processor)) {
    tokenIds.push(processor.endTokenId);
    labels.push(processor.endTokenId);
  }
  return {
    tokenIds,
    labels,
    columns: placeItems(tokenIds, items, options.origin),
  };
}

/**
 * Ids that a model continues with an answer: the conversation up to its last answer, which is left out if it is there.
 * @throws as `encodeConversation`
 */
export function encodePrompt(
  processor: Processor,
  messages: readonly Message[],
  options: EncodeOptions,
): EncodedPrompt {
  const last = messages[messages.length - 1];
  const questions = last !== undefined && isAnswer(last) ? messages.slice(0, -1) : messages;
  const { text } = renderSample(questions, processor, options.origin);
  const items = plannedItems(questions, options);
  checkPlaceholders(text, processor, items, options.origin);
  const tokenIds = processor.tokenizer.encode(expand(text, processor, items));
  return { tokenIds, columns: placeItems(tokenIds, items, options.origin) };
}
