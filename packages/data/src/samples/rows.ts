import { parseJson, shown } from "@thaw/contracts";
import { sampleInvalid } from "../errors/samples.js";
import type { JsonRecord } from "../records/records.js";
import { captionSample } from "./captions.js";
import { conversationSample } from "./conversations.js";
import type { MediaFolders } from "./media-reference.js";
import type { ChoiceStyle } from "./answers.js";
import type { Sample } from "@thaw/contracts";

/** What columns of a table can mean. */
export const FIELDS = [
  "id",
  "image",
  "images",
  "audio",
  "audios",
  "caption",
  "question",
  "answer",
  "answers",
  "choices",
  "system",
  "messages",
  "conversations",
] as const;
export type Field = (typeof FIELDS)[number];

/** How rows of a table are read. */
export interface RowOptions {
  readonly folders: MediaFolders;
  /** Asked for each caption. */
  readonly prompt: string;
  readonly textOnly: boolean;
  readonly roles?: Readonly<Record<string, string>> | undefined;
  readonly choices?: ChoiceStyle | undefined;
  /** By what a column means, its name. */
  readonly columns?: Readonly<Partial<Record<string, string>>> | undefined;
}

type Value = JsonRecord["value"];

/** The row under the names that samples have. @throws THAW_DATA_SAMPLE_INVALID for a column that is not there */
function renamed(value: Value, columns: RowOptions["columns"], origin: string): Value {
  if (columns === undefined) return value;
  const named: Record<string, unknown> = {};
  for (const [field, column] of Object.entries(columns)) {
    if (!(FIELDS as readonly string[]).includes(field))
      throw sampleInvalid(origin, `columns has "${field}".`, `A column can be ${FIELDS.join(", ")}.`);
    if (!Object.hasOwn(value, column!))
      throw sampleInvalid(
        origin,
        `There is no column "${column}".`,
        `Columns are ${Object.keys(value).join(", ")}; columns says which is what.`,
      );
    named[field] = value[column!];
  }
  const kept = Object.entries(value).filter(([name]) => !Object.values(columns).includes(name));
  return { ...Object.fromEntries(kept), ...named };
}

/** A list of turns, also where a table has it as text, or as one list per key. */
function turnsOf(value: unknown, origin: string): unknown {
  if (typeof value === "string" && value.trimStart().startsWith("[")) {
    try {
      return parseJson(value);
    } catch {
      throw sampleInvalid(origin, `The conversation ${shown(value)} is not valid JSON.`, "Write a JSON list of turns.");
    }
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const lists = Object.entries(value).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  const [first] = lists;
  if (first === undefined) return value;
  return first[1].map((_, turn) => Object.fromEntries(lists.map(([key, list]) => [key, list[turn]])));
}

/** Paths of several items in one cell of text: a JSON list. */
function listOf(value: unknown): unknown {
  if (typeof value !== "string" || !value.startsWith("[")) return value;
  try {
    return parseJson(value);
  } catch {
    return value;
  }
}

/**
 * A sample of a row: a conversation where it has `messages` or `conversations`, a question with its answers where it
 * has both, else an item with its caption. What `columns` names decides where a row could be several.
 * @throws THAW_DATA_SAMPLE_INVALID, THAW_DATA_IMAGE_REQUIRED, THAW_DATA_PLACEHOLDER_MISMATCH
 */
export function rowSample({ value, origin }: JsonRecord, options: RowOptions): Sample {
  const { columns, folders, prompt, textOnly, roles, choices } = options;
  const row = renamed(value, columns, origin);
  const isNamed = (...fields: readonly Field[]): boolean => fields.some((field) => columns?.[field] !== undefined);
  const has = (field: Field): boolean => row[field] !== undefined && row[field] !== null;
  const listed = { ...row, images: listOf(row["images"]), audios: listOf(row["audios"]) };
  const isCaption = isNamed("caption") && !isNamed("messages", "conversations", "question");
  if (!isCaption && (has("messages") || has("conversations"))) {
    const talk = {
      ...listed,
      messages: turnsOf(row["messages"], origin),
      conversations: turnsOf(row["conversations"] ?? undefined, origin),
    };
    return conversationSample({ value: talk, origin }, { folders, textOnly, roles });
  }
  if (!isCaption && has("question") && (has("answer") || has("answers"))) {
    const { question } = row;
    if (typeof question !== "string" && typeof question !== "number")
      throw sampleInvalid(origin, `The question is ${shown(question)}.`, "Say by columns which one is the question.");
    return conversationSample({ value: listed, origin }, { folders, textOnly, roles, choices });
  }
  return captionSample({ value: listed, origin }, { folders, prompt });
}
