import { dirname, resolve } from "node:path";
import type { FormatContext, Sample } from "@thaw/contracts";
import { z } from "zod";
import { mediaFolders } from "../samples/media-reference.js";
import { FIELDS, rowSample } from "../samples/rows.js";
import type { JsonRecord } from "../records/records.js";
import { audios, choices, concepts, exif, images, prompt, roles, textOnly } from "./options.js";

/** What every format of rows may have. */
export const ROW_OPTIONS = {
  columns: z
    .record(z.string(), z.string())
    .optional()
    .describe(
      `Which column is what: { image: jpg, caption: txt }. Known are ${FIELDS.join(", ")}; without it columns of ` +
        "these names are read.",
    ),
  images,
  audios,
  prompt,
  textOnly,
  roles,
  choices,
  concepts,
  exif,
};

/** As code reads them. */
export type RowSetOptions = z.output<z.ZodObject<typeof ROW_OPTIONS>>;

/** Makes samples of the rows of a file or folder. */
export function rowReader(
  options: RowSetOptions,
  place: { readonly path: string; readonly isFolder?: boolean },
  { baseFolder, captionPrompt }: FormatContext,
): (record: JsonRecord) => Sample {
  const own = place.isFolder === true ? place.path : dirname(place.path);
  const folders = mediaFolders(options, resolve(baseFolder, own), baseFolder);
  const { columns, textOnly: isTextOnly, roles: meant, choices: style } = options;
  const asked = options.prompt ?? captionPrompt;
  const rows = { folders, prompt: asked, textOnly: isTextOnly, roles: meant, columns, choices: style };
  return (record) => rowSample(record, rows);
}
