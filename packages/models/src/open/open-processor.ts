import type { Processor } from "@thaw/data";
import { noProcessor } from "../errors.js";
import { readConfig } from "../reading/folder.js";
import { findFamily, knownFamilies } from "./registry.js";

/**
 * Opens the processor of a checkpoint folder, as its family makes it. @throws THAW_MODEL_NO_PROCESSOR, THAW_DATA_*,
 * THAW_CHECKPOINT_*
 */
export async function openProcessor(folder: string): Promise<Processor> {
  const config = await readConfig(folder);
  const modelType = config.raw["model_type"];
  const create = typeof modelType === "string" ? findFamily(modelType)?.processor : undefined;
  if (create === undefined)
    throw noProcessor(
      folder,
      modelType,
      knownFamilies().filter((name) => findFamily(name)?.processor !== undefined),
    );
  return create(folder);
}
