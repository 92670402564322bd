import { dirname, resolve } from "node:path";
import type { DatasetFormat } from "@thaw/contracts";
import { z } from "zod";
import { conversationSample } from "../../samples/conversations.js";
import { mediaFolders } from "../../samples/media-reference.js";
import { fileName } from "../names.js";
import { audios, choices, exif, images, roles, textOnly } from "../options.js";
import { recordSet } from "../record-set.js";
import { firstRecord } from "../recognise.js";

/**
 * LLaVA's form `{ id, image, conversations: [{ from, value }] }` or ShareGPT's and OpenAI's `{ messages: [{ role,
 * content }], images, audios }`; a `question` with its `answers` stands for a conversation of one turn.
 */
export const conversationsSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({
      format: "hub-or-path",
      description:
        "A JSONL file, or a .json file that is one list of such objects. Messages may be in OpenAI's form, and " +
        "images data URIs.",
    }),
  images,
  audios,
  textOnly,
  roles,
  choices,
  exif,
});

/** JSONL with a conversation per line, or a JSON array of conversations. */
export const conversationsFormat: DatasetFormat<z.output<typeof conversationsSchema>> = {
  type: "conversations",
  summary: "JSONL with conversations, as LLaVA or as ShareGPT writes them, or with questions and their answers.",
  schema: conversationsSchema,
  recognises: async (path) => {
    const record = await firstRecord(path);
    const isAsked = record !== undefined && "question" in record && ("answer" in record || "answers" in record);
    return record !== undefined && ("conversations" in record || "messages" in record || isAsked)
      ? { path }
      : undefined;
  },
  nameOf: ({ path }) => fileName(path),
  open: async (options, { baseFolder }) => {
    const path = resolve(baseFolder, options.path);
    const folders = mediaFolders(options, dirname(path), baseFolder);
    return recordSet(options, path, (record) =>
      conversationSample(record, {
        folders,
        textOnly: options.textOnly,
        roles: options.roles,
        choices: options.choices,
      }),
    );
  },
};
