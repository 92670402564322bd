import { resolve } from "node:path";
import type { DatasetFormat } from "@thaw/contracts";
import { z } from "zod";
import { openTable, styleOf } from "../../records/csv.js";
import { fileName, nameWithConcepts } from "../names.js";
import { setOfRecords } from "../record-set.js";
import { ROW_OPTIONS, rowReader } from "../row-options.js";

/** A table of text, its columns named by its first row. */
export const csvSchema = z.strictObject({
  path: z.string().min(1).meta({ format: "hub-or-path", description: "A CSV or TSV file." }),
  delimiter: z
    .string()
    .length(1)
    .optional()
    .describe("What stands between cells. Default: a tab in .tsv, else a comma."),
  quotes: z
    .boolean()
    .optional()
    .describe("Cells may be quoted. Default: false in .tsv, where quotes are characters like others."),
  ...ROW_OPTIONS,
});

/** CSV and TSV. */
export const csvFormat: DatasetFormat<z.output<typeof csvSchema>> = {
  type: "csv",
  summary: "CSV or TSV with a row of names: an image and its caption, a question and its answer, or a conversation.",
  schema: csvSchema,
  recognises: (path) => Promise.resolve(/\.(?:csv|tsv)(?:\.(?:gz|zst))?$/i.test(path) ? { path } : undefined),
  nameOf: ({ path, concepts }) => nameWithConcepts(fileName(path), concepts),
  open: async (options, context) => {
    const path = resolve(context.baseFolder, options.path);
    const style = styleOf(path);
    const { delimiter = style.delimiter, quotes = style.quotes } = options;
    const records = await openTable(path, { delimiter, quotes });
    return setOfRecords(path, records, options, rowReader(options, { path }, context));
  },
};
