import { ThawError } from "@thaw/contracts";
import { decoderLine, firstLine } from "./first-line.js";

/** A file or folder of the data that is not there or cannot be read. */
export function fileUnreadable(path: string, what: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_DATA_FILE_UNREADABLE",
    `${what} cannot be read: ${decoderLine(cause)}. At ${path}. Check that the path is right and that you may read it.`,
    { details: { path }, cause },
  );
}

/** A file of the data that breaks its format. */
export function fileMalformed(origin: string, problem: string, advice: string, cause?: unknown): ThawError {
  return new ThawError("THAW_DATA_FILE_MALFORMED", `${problem} In ${origin}. ${advice}`, {
    details: { origin },
    cause,
  });
}

/** A part of a binary file that its reader cannot read. */
export function bytesMalformed(origin: string, what: string, cause: unknown): ThawError {
  return fileMalformed(
    origin,
    `${what} cannot be read: ${decoderLine(cause)}.`,
    "Fetch or write the file again.",
    cause,
  );
}

/** A file of the data that was written anew while it was in use. */
export function fileChanged(path: string): ThawError {
  return new ThawError(
    "THAW_DATA_FILE_CHANGED",
    `The data file changed while it was in use. At ${path}. Start again once it no longer changes.`,
    { details: { path } },
  );
}

/** A file packed by zstd, on a Node that cannot unpack it. */
export function zstdUnsupported(path: string): ThawError {
  return new ThawError(
    "THAW_DATA_ZSTD",
    `The file is packed by zstd, which this Node (${process.version}) cannot unpack. At ${path}. Use Node 22.15 or ` +
      "later, or unpack it first (`zstd -d`).",
    { details: { path, node: process.version } },
  );
}

/** A name that a list of data sets does not have. */
export function datasetUnknown(path: string, name: string, nearest: readonly string[]): ThawError {
  const advice = nearest.length === 0 ? "Add it there." : `Nearest are ${nearest.join(", ")}.`;
  return new ThawError("THAW_DATA_SET_UNKNOWN", `There is no data set "${name}". In ${path}. ${advice}`, {
    details: { path, name, nearest },
  });
}

/** A data set without a single sample. */
export function setEmpty(origin: string, advice: string): ThawError {
  return new ThawError("THAW_DATA_EMPTY", `The data set holds no sample. In ${origin}. ${advice}`, {
    details: { origin },
  });
}

/** Data that names neither a file nor a known kind. */
export function kindUnknown(given: string, advice: string): ThawError {
  return new ThawError("THAW_DATA_KIND_UNKNOWN", `"${given}" (string) names no data set. ${advice}`, {
    details: { given },
  });
}

/** An Iconify set that is not installed. */
export function packageMissing(name: string, folder: string, tried: readonly string[]): ThawError {
  return new ThawError(
    "THAW_DATA_ICON_SET_MISSING",
    `The icon set ${name} was not found; tried ${tried.join(", ")}. From ${folder}. Run "npm install ` +
      `@iconify-json/${name}" or give the path of an icons.json.`,
    { details: { name, folder, tried } },
  );
}

/** An icon of a set that cannot be drawn. */
export function iconInvalid(set: string, name: string, problem: string): ThawError {
  return new ThawError(
    "THAW_DATA_ICON_INVALID",
    `${problem} In icon "${name}" of ${set}. Correct the set or install it again.`,
    { details: { set, name } },
  );
}

/** A thread that decodes items failed. */
export function workerFailed(module: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_DATA_WORKER",
    `A decode worker failed: ${firstLine(cause)}. With the processor ${module}. Build the packages (npm run ` +
      "build) if the module is missing.",
    { details: { module }, cause },
  );
}

/** A data source was read after it was closed. */
export function sourceClosed(name: string): ThawError {
  return new ThawError("THAW_DATA_CLOSED", `The data source was closed. In ${name}. Open it again before reading.`, {
    details: { name },
  });
}

/** Options of a data set that break the schema; `problems` is one line each. */
export function optionsInvalid(problems: readonly string[]): ThawError {
  return new ThawError(
    "THAW_DATA_OPTIONS",
    `The data set is not described rightly: ${problems.join("; ")}. In its options. Correct them; a short form ` +
      `such as "iconify:noto" or a path works too.`,
    { details: { problems } },
  );
}
