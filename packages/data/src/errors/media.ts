import { ThawError, type Modality } from "@thaw/contracts";
import { decoderLine } from "./first-line.js";

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
    `The ${wordOf(modality)} ${name} cannot be decoded: ${decoderLine(cause)}. In ${origin}. Replace the file or ` +
      "remove the sample.",
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
