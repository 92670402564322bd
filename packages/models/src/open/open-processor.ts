import type { Processor } from "@thaw/data";
import { noProcessor } from "../errors.js";
import { readConfig } from "../reading/folder.js";
import type { Family } from "../contract/family.js";
import { FAMILIES, findFamily } from "./families.js";

/**
 * Opens the processor of a checkpoint folder, as its family makes it; `families` are those that there are, Thaw's own
 * without it. @throws THAW_MODEL_NO_PROCESSOR, THAW_DATA_*, THAW_CHECKPOINT_*
 */
export async function openProcessor(folder: string, families: readonly Family[] = FAMILIES): Promise<Processor> {
  const config = await readConfig(folder);
  const modelType = config.raw["model_type"];
  const create = typeof modelType === "string" ? findFamily(modelType, families)?.processor : undefined;
  if (create === undefined)
    throw noProcessor(
      folder,
      modelType,
      families.filter(({ processor }) => processor !== undefined).map((family) => family.modelType),
    );
  return create(folder);
}
