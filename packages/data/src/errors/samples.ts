import { nameList, shown, ThawError } from "@thaw/contracts";
import { firstLine } from "./first-line.js";

/** A sample that breaks the form of its data set. */
export function sampleInvalid(origin: string, problem: string, advice: string): ThawError {
  return new ThawError("THAW_DATA_SAMPLE_INVALID", `${problem} In ${origin}. ${advice}`, { details: { origin } });
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

/** A checkpoint's tokenizer or template file that cannot be used. */
export function tokenizerUnusable(folder: string, problem: string, advice: string, cause?: unknown): ThawError {
  return new ThawError("THAW_DATA_TOKENIZER", `${problem} In ${folder}. ${advice}`, { details: { folder }, cause });
}

/** The checkpoint's chat template threw. */
export function templateFailed(source: string, cause: unknown): ThawError {
  return new ThawError(
    "THAW_DATA_TEMPLATE",
    `The chat template cannot render the conversation: ${firstLine(cause)}. In ${source}. Check the roles and their ` +
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

/** One error for all: of one sample its own, of several the first one's with the others in its message. */
export function refusalOf(problems: readonly { readonly origin: string; readonly error: unknown }[]): unknown {
  const [first, ...rest] = problems;
  if (rest.length === 0 || !(first!.error instanceof ThawError)) return first!.error;
  return samplesRefused(
    first!.error,
    rest.map(({ origin, error }) => ({ origin, code: error instanceof ThawError ? error.code : String(error) })),
  );
}
