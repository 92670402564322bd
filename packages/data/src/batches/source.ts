import type { DatasetFormat, Sample } from "@thaw/contracts";
import { setEmpty } from "../errors/files.js";
import { BUILT_IN_FORMATS } from "../formats/built-in.js";
import { loadSamples } from "../formats/load-samples.js";
import { resolveSource } from "../formats/resolve-source.js";
import { sampleList } from "../formats/sample-sets.js";
import type { SourceOptions } from "../formats/source-schema.js";
import { mediaReference, modalityOf } from "../samples/media-reference.js";
import { createSource } from "./create-source.js";
import type { DataSource, SourceContext } from "./data-source.js";

/** What opening a data set takes beside its options. */
export interface OpenContext extends SourceContext {
  /** Formats that it may have; Thaw's own without it. */
  readonly formats?: readonly DatasetFormat[];
  /** Put other samples in the place of those that cannot be used; else they are an error. */
  readonly skips?: boolean;
}

/**
 * Opens a data set, and looks at its samples as far as that is cheap. Of images only those are decoded that do not look
 * whole. The caller closes the source.
 * @throws THAW_DATA_* naming file and line
 */
export async function openSource(options: SourceOptions, context: OpenContext): Promise<DataSource> {
  const { formats = BUILT_IN_FORMATS, skips = false, ...rest } = context;
  const resolved = await resolveSource(options, context.baseFolder, formats);
  const loaded = await loadSamples(
    formats.find(({ type }) => type === resolved.type)!,
    resolved,
    {
      baseFolder: context.baseFolder,
      captionPrompt: context.processor.captionPrompt,
      role: context.role,
      skips,
    },
  );
  const parts = [{ samples: loaded.samples, augment: resolved.augment }];
  const knownConcepts = (): ReturnType<typeof loaded.knownConcepts> => loaded.knownConcepts();
  return createSource({ parts, knownConcepts, answered: true, skips }, rest);
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
