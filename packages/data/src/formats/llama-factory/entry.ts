import { z } from "zod";
import { sampleInvalid } from "../../errors/samples.js";

const name = z.string().min(1);
const isFalse = z.literal(false).optional();

/**
 * An entry of `dataset_info.json`, as LLaMA-Factory 0.9 reads it (`data/parser.py`): names of columns and roles. What
 * has to be fetched, or is no supervised training, is refused.
 */
export const entrySchema = z.strictObject({
  file_name: z.string("Only files on this machine are read: give file_name.").min(1),
  formatting: z.enum(["alpaca", "sharegpt", "openai"]).default("alpaca"),
  ranking: isFalse,
  split: z.literal("train").optional(),
  num_samples: z.number().int().positive().optional(),
  columns: z
    .strictObject({
      prompt: name.default("instruction"),
      query: name.default("input"),
      response: name.default("output"),
      history: name.optional(),
      messages: name.default("conversations"),
      system: name.optional(),
      images: name.optional(),
      audios: name.optional(),
      videos: name.optional(),
      tools: name.optional(),
    })
    .prefault({}),
  tags: z
    .strictObject({
      role_tag: name.optional(),
      content_tag: name.optional(),
      user_tag: name.optional(),
      assistant_tag: name.optional(),
      observation_tag: name.optional(),
      function_tag: name.optional(),
      system_tag: name.optional(),
    })
    .prefault({}),
});

export type Entry = z.output<typeof entrySchema>;
type Value = Readonly<Record<string, unknown>>;

function textOf(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/** An instruction with its input and answer, and the pairs that came before. */
function alpacaTurns(value: Value, { columns }: Entry): readonly Value[] {
  const asked = [value[columns.prompt], value[columns.query]].map(textOf).filter((text) => text !== "");
  const history = columns.history === undefined ? [] : ((value[columns.history] ?? []) as readonly unknown[][]);
  const pair = (question: unknown, answer: unknown): readonly Value[] => [
    { role: "user", content: textOf(question) },
    { role: "assistant", content: textOf(answer) },
  ];
  return [
    ...history.flatMap(([question, answer]) => pair(question, answer)),
    ...pair(asked.join("\n"), value[columns.response]),
  ];
}

/** Roles under the entry's own names, as `role` and `content`. */
function taggedTurns(value: Value, { columns, tags, formatting }: Entry, origin: string): readonly Value[] {
  const turns = value[columns.messages];
  if (!Array.isArray(turns))
    throw sampleInvalid(origin, `There is no list "${columns.messages}".`, "Name it by columns.messages.");
  const isOpenAi = formatting === "openai";
  const { role_tag: role = isOpenAi ? "role" : "from", content_tag: content = isOpenAi ? "content" : "value" } = tags;
  const meant = new Map([
    [tags.user_tag ?? (isOpenAi ? "user" : "human"), "user"],
    [tags.assistant_tag ?? (isOpenAi ? "assistant" : "gpt"), "assistant"],
    [tags.system_tag ?? "system", "system"],
  ]);
  return (turns as readonly Value[]).map((turn) => {
    const said = meant.get(textOf(turn[role]));
    if (said === undefined)
      throw sampleInvalid(
        origin,
        `The role "${textOf(turn[role])}" is not known.`,
        `Known are ${[...meant.keys()].join(", ")}; tags names them.`,
      );
    return { role: said, content: turn[content] };
  });
}

/** A row as a conversation, by the entry's columns and tags. @throws THAW_DATA_SAMPLE_INVALID */
export function turnsOf(value: Value, entry: Entry, origin: string): Value {
  const { columns, formatting } = entry;
  const of = (column: string | undefined): unknown => (column === undefined ? undefined : value[column]);
  return {
    id: value["id"],
    messages: formatting === "alpaca" ? alpacaTurns(value, entry) : taggedTurns(value, entry, origin),
    ...Object.fromEntries(
      (["system", "images", "audios", "videos", "tools"] as const)
        .filter((field) => of(columns[field]) !== undefined)
        .map((field) => [field, of(columns[field])]),
    ),
  };
}
