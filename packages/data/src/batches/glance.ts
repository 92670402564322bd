import type { DatasetFormat } from "@thaw/contracts";
import { BUILT_IN_FORMATS } from "../formats/built-in.js";
import { loadSamples } from "../formats/load-samples.js";
import { resolveSource } from "../formats/resolve-source.js";
import type { MixedSource } from "../formats/source-schema.js";
import { peek } from "./peek.js";

/** Samples that a glance reads. */
const GLANCED = 16;

/** What a glance tells of a data set that can be used. */
export interface Glance {
  /** Name of its format: `captions`, `conversations`, ... */
  readonly type: string;
  readonly sampleCount: number;
}

/**
 * Looks at the first samples of a data set and at the ends of the files that they name, without a model: what is
 * missing, of another format or no sample at all is found.
 * @throws THAW_DATA_* naming file and line
 */
export async function glanceAtSource(
  options: MixedSource,
  context: {
    readonly baseFolder: string;
    readonly role: "train" | "evaluation";
    readonly formats?: readonly DatasetFormat[];
  },
): Promise<Glance> {
  const { formats = BUILT_IN_FORMATS, ...rest } = context;
  const resolved = await resolveSource(options, context.baseFolder, formats);
  const format = formats.find(({ type }) => type === resolved.type)!;
  const { samples } = await loadSamples(format, resolved, { ...rest, captionPrompt: "" });
  try {
    for (let index = 0; index < Math.min(samples.count, GLANCED); index += 1) {
      const { media, origin } = await samples.read(index);
      for (const item of media) await peek(item, origin);
    }
    return { type: resolved.type, sampleCount: samples.count };
  } finally {
    await samples.close?.();
  }
}
