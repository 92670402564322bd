import { shown, causeText, nameList, ThawError } from "@thaw/contracts";
import type { Modality } from "./samples/sample.js";

function text(cause: unknown): string {
  return causeText(cause).trim().split("\n")[0]!.replace(/\.$/, "");
}

/** A file or folder of the data that is not there or cannot be read. */
export function fileUnreadable(path: string, what: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_DATA_FILE_UNREADABLE",
    `${what} cannot be read: ${text(cause)}. At ${path}. Check that the path is right and that you may read it.`,
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

/** A sample that breaks the form of its data set. */
export function sampleInvalid(origin: string, problem: string, advice: string): ThawError {
  return new ThawError("THAW_DATA_SAMPLE_INVALID", `${problem} In ${origin}. ${advice}`, { details: { origin } });
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

/** What items are called in messages. */
export const MEDIA_WORDS: Readonly<Record<Modality, string>> = { image: "image", audio: "sound" };
const wordOf = (modality: Modality): string => MEDIA_WORDS[modality];

/** An item that a sample names is not there. */
export function mediaMissing(modality: Modality, path: string, origin: string): ThawError {
  return new ThawError(
    modality === "image" ? "THAW_DATA_IMAGE_MISSING" : "THAW_DATA_AUDIO_MISSING",
    `The ${wordOf(modality)} ${path} does not exist. In ${origin}. Add the file, correct the path, or set the ` +
      `folder of the ${wordOf(modality)}s.`,
    { details: { path, origin } },
  );
}

/** An item that cannot be decoded. */
export function mediaBroken(modality: Modality, name: string, origin: string, cause: unknown): ThawError {
  return new ThawError(
    modality === "image" ? "THAW_DATA_IMAGE_BROKEN" : "THAW_DATA_AUDIO_BROKEN",
    `The ${wordOf(modality)} ${name} cannot be decoded: ${text(cause)}. In ${origin}. Replace the file or remove ` +
      "the sample.",
    { details: { [modality]: name, origin }, cause },
  );
}

/** An item that is not the file it was when the run began. */
export function mediaChanged(modality: Modality, name: string, origin: string): ThawError {
  return new ThawError(
    modality === "image" ? "THAW_DATA_IMAGE_CHANGED" : "THAW_DATA_AUDIO_CHANGED",
    `The ${wordOf(modality)} ${name} changed while it was in use. In ${origin}. Start again once the files no ` +
      "longer change.",
    { details: { [modality]: name, origin } },
  );
}

/** An item of a kind that the model does not read. */
export function modalityUnsupported(
  origin: string,
  modality: Modality,
  source: string,
  known: readonly string[],
): ThawError {
  return new ThawError(
    "THAW_DATA_MODALITY",
    `The sample has an item of the kind ${modality}, and the model ${source} reads ` +
      `${["text", ...known].join(" and ")} alone. In ${origin}. Leave the sample out, or use a ` +
      "model that reads it.",
    { details: { origin, modality, source, known } },
  );
}

/** A sample without an item where one is needed. */
export function mediaRequired(origin: string, advice: string): ThawError {
  return new ThawError("THAW_DATA_IMAGE_REQUIRED", `The sample has neither image nor sound. In ${origin}. ${advice}`, {
    details: { origin },
  });
}

/** A text with another number of placeholders than the sample has items of a kind. */
export function placeholderMismatch(
  origin: string,
  modality: Modality,
  placeholders: number,
  items: number,
): ThawError {
  return new ThawError(
    "THAW_DATA_PLACEHOLDER_MISMATCH",
    `The text has ${placeholders} <${modality}> placeholder(s), the sample has ${items} ${wordOf(modality)}(s). ` +
      `In ${origin}. Write one <${modality}> for each ${wordOf(modality)}, or none to put all of them before the ` +
      "first question.",
    { details: { origin, modality, placeholders, items } },
  );
}

/** A sample that does not fit the context. */
export function sampleTooLong(
  origin: string,
  tokenCount: number,
  maxLength: number,
  mediaTokenCount: number,
): ThawError {
  return new ThawError(
    "THAW_DATA_TOO_LONG",
    `The sample has ${tokenCount} tokens (${mediaTokenCount} of them for images and sounds), more than the ` +
      `${maxLength} that fit. In ${origin}. Shorten the sample, or raise training.max_length if the model's ` +
      "context allows it.",
    { details: { origin, tokenCount, maxLength, mediaTokenCount } },
  );
}

/** A sample with a token that the model has no row for. */
export function tokenWithoutRow(
  origin: string,
  {
    id,
    token,
    rows,
    source,
  }: { readonly id: number; readonly token?: string; readonly rows: number; readonly source: string },
): ThawError {
  return new ThawError(
    "THAW_DATA_TOKEN_WITHOUT_ROW",
    `The sample has the token ${token === undefined ? "" : `${shown(token)} with `}id ${id}, and the ` +
      "model's " +
      `embedding has ${rows} rows. In ${origin}. Use the tokenizer that belongs to ${source}, or enlarge the model's ` +
      "embedding (resize_token_embeddings in transformers).",
    { details: { origin, id, token, rows, source } },
  );
}

/** Several samples that cannot be used: the first one's error, with the others counted and named. */
export function samplesRefused(
  first: ThawError,
  others: readonly { readonly origin: string; readonly code: string }[],
): ThawError {
  const names = nameList(
    others.map(({ origin, code }) => (code === first.code ? origin : `${origin} (${code})`)),
    5,
  );
  const count = others.length === 1 ? "Another sample" : `${others.length} other samples`;
  return new ThawError(first.code, `${first.message} ${count} cannot be used either: ${names}.`, {
    details: { ...first.details, others },
    cause: first.cause,
  });
}

/** A chat template that does not take one sample's conversation. */
export function sampleTemplateFailed(origin: string, error: ThawError): ThawError {
  return new ThawError(error.code, `${error.message} For ${origin}.`, {
    details: { ...error.details, origin },
    cause: error.cause,
  });
}

/** A sample without an answer: nothing of it would train. */
export function nothingSupervised(origin: string): ThawError {
  return new ThawError(
    "THAW_DATA_NOTHING_SUPERVISED",
    `The sample has no answer to learn from. In ${origin}. Close the conversation with a non-empty assistant turn.`,
    { details: { origin } },
  );
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

/** A checkpoint's tokenizer or template file that cannot be used. */
export function tokenizerUnusable(folder: string, problem: string, advice: string, cause?: unknown): ThawError {
  return new ThawError("THAW_DATA_TOKENIZER", `${problem} In ${folder}. ${advice}`, { details: { folder }, cause });
}

/** The checkpoint's chat template threw. */
export function templateFailed(source: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_DATA_TEMPLATE",
    `The chat template cannot render the conversation: ${text(cause)}. In ${source}. Check the roles and their ` +
      "order, or the template.",
    { details: { source }, cause },
  );
}

/** A tokenizer's regular expressions, or a template, that take for ever on a text. */
export function tooSlow(file: string | undefined, limitMs: number): ThawError {
  return new ThawError(
    "THAW_DATA_TOO_SLOW",
    `The patterns of the file take more than ${limitMs / 1000} seconds on one text, so they were ended. In ${file}. ` +
      "Take the file from the model's maker again; shorten the text where it is very long.",
    { details: { file, limitMs } },
  );
}

/** A conversation, and a checkpoint without chat template. */
export function templateMissing(origin: string, source: string): ThawError {
  return new ThawError(
    "THAW_DATA_TEMPLATE_MISSING",
    `A conversation needs a chat template and the checkpoint ${source} has none. For ${origin}. Add ` +
      "chat_template.jinja to the checkpoint, or use a captioning data set.",
    { details: { origin, source } },
  );
}

/** A chat template under which answers cannot be told from questions. */
export function templateNotIncremental(origin: string, source: string): ThawError {
  return new ThawError(
    "THAW_DATA_TEMPLATE_NOT_INCREMENTAL",
    `The chat template of ${source} renders an earlier turn differently once later turns follow, so the answers ` +
      `cannot be told apart. For ${origin}. Split the conversation into samples with one answer each.`,
    { details: { origin, source } },
  );
}

/** A processor setting that Thaw does not reproduce. */
export function processorUnsupported(source: string, problem: string, advice: string): ThawError {
  return new ThawError("THAW_DATA_PROCESSOR", `${problem} In ${source}. ${advice}`, { details: { source } });
}

/** A thread that decodes items failed. */
export function workerFailed(module: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_DATA_WORKER",
    `A decode worker failed: ${text(cause)}. With the processor ${module}. Build the packages (npm run ` +
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

/** An evaluation without a sample to score. */
export function conceptsEmpty(origin: string, filter: string): ThawError {
  return new ThawError(
    "THAW_DATA_CONCEPTS_EMPTY",
    `No sample is left to score with the concepts "${filter}". In ${origin}. Choose other concepts; "all" scores ` +
      "every sample.",
    { details: { origin, filter } },
  );
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

/** One error for all: of one sample its own, of several the first one's with the others in its message. */
export function refusalOf(problems: readonly { readonly origin: string; readonly error: unknown }[]): unknown {
  const [first, ...rest] = problems;
  if (rest.length === 0 || !(first!.error instanceof ThawError)) return first!.error;
  return samplesRefused(
    first!.error,
    rest.map(({ origin, error }) => ({ origin, code: error instanceof ThawError ? error.code : String(error) })),
  );
}
