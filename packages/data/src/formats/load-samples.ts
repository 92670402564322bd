import { stat } from "node:fs/promises";
import { captionSamples } from "../samples/captions.js";
import { isUnseenConcept } from "../samples/concepts.js";
import { conversationSamples } from "../samples/conversations.js";
import { mediaBroken, mediaMissing, refusalOf, setEmpty } from "../errors.js";
import { iconifySamples } from "./iconify/iconify.js";
import type { ResolvedSourceOptions } from "./options.js";
import type { Sample } from "../samples/sample.js";

const CONCURRENT_CHECKS = 64;

/** The samples of a data set, and the concepts that it has at all. */
export interface LoadedSamples {
  readonly samples: readonly Sample[];
  readonly knownConcepts: ReadonlySet<string>;
}

function read(
  options: ResolvedSourceOptions,
  context: { readonly baseFolder: string; readonly captionPrompt: string },
): Promise<Sample[]> {
  if (options.type === "iconify") return iconifySamples(options, context);
  return options.type === "captions"
    ? captionSamples(options, context)
    : conversationSamples(options, context.baseFolder);
}

/**
 * Which concepts a set gives. Only an icon set that trains leaves the unseen out unasked: a user's own captions are all
 * meant.
 */
function conceptsOf(options: ResolvedSourceOptions, role: "train" | "evaluation"): "seen" | "unseen" | "all" {
  if (options.type === "conversations") return "all";
  return options.concepts ?? (options.type === "iconify" && role === "train" ? "seen" : "all");
}

/** Every file must be there before anything starts. @throws THAW_DATA_IMAGE_MISSING naming those that are not */
export async function checkFiles(samples: readonly Sample[]): Promise<void> {
  const files = samples.flatMap(({ media, origin }) =>
    media.flatMap(({ modality, source }) => (source.kind === "file" ? [{ modality, path: source.path, origin }] : [])),
  );
  const missing: { readonly origin: string; readonly error: unknown }[] = [];
  for (let start = 0; start < files.length; start += CONCURRENT_CHECKS) {
    const found = await Promise.all(
      files.slice(start, start + CONCURRENT_CHECKS).map(({ modality, path, origin }) =>
        stat(path).then(
          (status) =>
            status.isFile() ? [] : [{ origin, error: mediaBroken(modality, path, origin, "it is not a file") }],
          () => [{ origin, error: mediaMissing(modality, path, origin) }],
        ),
      ),
    );
    missing.push(...found.flat());
  }
  if (missing.length > 0) throw refusalOf(missing);
}

/** Reads a data set's samples, without decoding an item. @throws THAW_DATA_* naming file and line */
export async function loadSamples(
  options: ResolvedSourceOptions,
  context: { readonly baseFolder: string; readonly captionPrompt: string; readonly role: "train" | "evaluation" },
): Promise<LoadedSamples> {
  const all = await read(options, context);
  const concepts = conceptsOf(options, context.role);
  const chosen =
    concepts === "all"
      ? all
      : all.filter(({ concept }) => concept !== undefined && isUnseenConcept(concept) === (concepts === "unseen"));
  const samples = options.limit === undefined ? chosen : chosen.slice(0, options.limit);
  if (samples.length === 0) {
    throw setEmpty(
      options.type === "iconify" ? `iconify:${options.set}` : options.path,
      all.length === 0
        ? "Write at least one sample."
        : `Its ${all.length} samples are all left out by concepts: ${concepts}.`,
    );
  }
  await checkFiles(samples);
  return { samples, knownConcepts: new Set(all.flatMap(({ concept }) => (concept === undefined ? [] : [concept]))) };
}
