import type { DatasetFormat, Sample } from "@thaw/contracts";
import { optionsInvalid, setEmpty } from "../errors/files.js";
import { BUILT_IN_FORMATS } from "../formats/built-in.js";
import { loadSamples } from "../formats/load-samples.js";
import { resolveSource } from "../formats/resolve-source.js";
import { sampleList } from "../formats/sample-sets.js";
import type { MixedSource, SourceOptions } from "../formats/source-schema.js";
import { mediaReference, modalityOf } from "../samples/media-reference.js";
import { createSource, type SourcePart } from "./create-source.js";
import { heldOut, type HoldOut } from "./hold-out.js";
import type { MixedPart, MixStrategy } from "./order/order.js";
import type { DataSource, SourceContext } from "./data-source.js";

/** What opening data sets takes beside their options. */
export interface OpenContext extends SourceContext {
  /** Formats that they may have; Thaw's own without it. */
  readonly formats?: readonly DatasetFormat[];
  /** Put other samples in the place of those that cannot be used; else they are an error. */
  readonly skips?: boolean;
  /** How several sets are put together. Default: `interleave` where they have weights, else `concatenate`. */
  readonly mix?: MixStrategy;
  /** Open a part: what is trained on, or what is held out of training. */
  readonly holdOut?: HoldOut;
}

interface OpenedPart extends SourcePart {
  knownConcepts(): Promise<ReadonlySet<string>>;
}

async function openPart(options: MixedSource, context: OpenContext): Promise<OpenedPart> {
  const { formats = BUILT_IN_FORMATS, skips = false, baseFolder, holdOut } = context;
  // What is held out is a part of what is trained on: of the same split, and of the same concepts.
  const role = holdOut === undefined ? context.role : "train";
  const resolved = await resolveSource(options, baseFolder, formats);
  const format = formats.find(({ type }) => type === resolved.type)!;
  const captionPrompt = context.processor.captionPrompt;
  const loaded = await loadSamples(format, resolved, { baseFolder, captionPrompt, role, skips });
  try {
    const samples = holdOut === undefined ? loaded.samples : await heldOut(loaded.samples, holdOut);
    const { weight, samples: perEpoch } = resolved;
    const augment = holdOut?.part === "held-out" ? undefined : resolved.augment;
    return { samples, augment, weight, perEpoch, knownConcepts: () => loaded.knownConcepts() };
  } catch (cause) {
    await loaded.samples.close?.();
    throw cause;
  }
}

/** @throws THAW_DATA_OPTIONS for weights that say nothing */
function checkMix(parts: readonly MixedPart[]): void {
  const problems: string[] = [];
  const weighted = parts.filter(({ weight }) => weight !== undefined).length;
  if (weighted > 0 && weighted < parts.length) problems.push("weight: give one to each set, or to none");
  if (parts.some(({ weight, samples }) => weight !== undefined && samples !== undefined))
    problems.push("weight and samples: an epoch's share is said by one of them");
  if (problems.length > 0) throw optionsInvalid(problems);
}

/**
 * Opens a data set, or several as one, and looks at the samples as far as that is cheap. Of images only those are
 * decoded that do not look whole. The caller closes the source.
 * @throws THAW_DATA_* naming file and line
 */
export async function openSource(
  options: SourceOptions | readonly MixedSource[],
  context: OpenContext,
): Promise<DataSource> {
  const { formats: _formats, skips = false, mix, holdOut: _holdOut, ...rest } = context;
  const parts: OpenedPart[] = [];
  try {
    for (const one of isSeveral(options) ? options : [options]) parts.push(await openPart(one, context));
    if (parts.length === 0) throw optionsInvalid(["the list of data sets is empty"]);
    checkMix(parts.map(({ samples, weight, perEpoch }) => ({ count: samples.count, weight, samples: perEpoch })));
  } catch (cause) {
    for (const { samples } of parts) await samples.close?.();
    throw cause;
  }
  const unasked = parts.some(({ weight }) => weight !== undefined) ? "interleave" : "concatenate";
  const knownConcepts = async (): Promise<ReadonlySet<string>> => {
    const known = new Set<string>();
    for (const part of parts) for (const concept of await part.knownConcepts()) known.add(concept);
    return known;
  };
  return createSource({ parts, mix: mix ?? unasked, knownConcepts, answered: true, skips }, rest);
}

function isSeveral(options: SourceOptions | readonly MixedSource[]): options is readonly MixedSource[] {
  return Array.isArray(options);
}

/**
 * Opens pictures and sounds (by how their names end) to be captioned or asked about: `prompts` gives one row each. The
 * caller closes the source.
 * @throws THAW_DATA_IMAGE_MISSING, THAW_DATA_AUDIO_MISSING
 */
export async function openMedia(
  paths: readonly string[],
  context: Omit<SourceContext, "role"> & { readonly prompt?: string },
): Promise<DataSource> {
  const { baseFolder } = context;
  const text = context.prompt ?? context.processor.captionPrompt;
  const samples = paths.map((path): Sample => {
    const item = mediaReference(path, modalityOf(path), { image: baseFolder, audio: baseFolder }, path);
    return {
      id: path,
      origin: path,
      messages: [{ role: "user", content: [{ type: item.modality }, { type: "text", text }] }],
      media: [item],
      reference: "",
    };
  });
  if (samples.length === 0) throw setEmpty("the list of images and sounds", "Name at least one.");
  return openQuestions(samples, context);
}

/**
 * Opens conversations that end with a question: `prompts` gives what the model goes on from. The caller closes the
 * source.
 * @throws THAW_DATA_* naming the sample's origin
 */
export async function openQuestions(
  samples: readonly Sample[],
  context: Omit<SourceContext, "role">,
): Promise<DataSource> {
  const parts = [{ samples: sampleList(samples, "the questions") }];
  return createSource(
    { parts, knownConcepts: () => Promise.resolve(new Set<string>()), answered: false },
    { ...context, role: "evaluation" },
  );
}
