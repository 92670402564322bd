import { resolve } from "node:path";
import type { DatasetFormat, SampleSet } from "@thaw/contracts";
import { z } from "zod";
import { setEmpty } from "../../errors/files.js";
import { headOf } from "../../records/byte-file.js";
import { filesOf, ofSplit } from "../item-files.js";
import { joinedSets } from "../joined.js";
import { fileName, nameWithConcepts } from "../names.js";
import { setOfRecords } from "../record-set.js";
import { ROW_OPTIONS, rowReader } from "../row-options.js";

const PARQUET = /\.parquet$/i;

/** A Parquet file, or a Hugging Face folder of them. */
export const parquetSchema = z.strictObject({
  path: z.string().min(1).meta({ format: "hub-or-path", description: "A Parquet file, or a folder of them." }),
  split: z
    .string()
    .optional()
    .describe(
      "train, validation or test, by names of files and folders. Default: train; for evaluation validation, else test.",
    ),
  ...ROW_OPTIONS,
});

/** Parquet, as the hub keeps data sets. */
export const parquetFormat: DatasetFormat<z.output<typeof parquetSchema>> = {
  type: "parquet",
  summary: "Parquet, as the Hugging Face hub keeps data sets: one file or a folder, with images and sounds in it.",
  schema: parquetSchema,
  recognises: async (path) => {
    const [first] = await filesOf(path, PARQUET);
    return first !== undefined && (await headOf(first, 4)).toString("latin1") === "PAR1" ? { path } : undefined;
  },
  nameOf: ({ path, concepts, split }) =>
    nameWithConcepts([fileName(path), ...(split === undefined ? [] : [split])].join("-"), concepts),
  open: async (options, context) => {
    const given = resolve(context.baseFolder, options.path);
    const files = await filesOf(given, PARQUET);
    const names = files.map((file) => file.slice(given.length));
    const wanted =
      files.length > 1 || options.split !== undefined ? ofSplit(names, options.split, context.role, given) : names;
    if (wanted.length === 0) throw setEmpty(given, "The folder holds no .parquet file.");
    const { openParquet } = await import("./rows.js");
    const sets: SampleSet[] = [];
    for (const name of wanted) {
      const path = given + name;
      const place = { path: given, isFolder: name !== "" };
      sets.push(setOfRecords(path, await openParquet(path), options, rowReader(options, place, context)));
    }
    return joinedSets(sets);
  },
};
