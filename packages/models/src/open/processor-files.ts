import { access } from "node:fs/promises";
import { join } from "node:path";
import { processorUnsupported } from "@thaw/data";

/** Files of which a processor of Thaw's own families needs one each. */
const NEEDED: readonly (readonly string[])[] = [
  ["tokenizer.json"],
  ["preprocessor_config.json", "processor_config.json"],
];

/**
 * Looks whether a checkpoint folder has the files that turn samples into numbers. Nothing is read; `openProcessor`
 * judges what they say. @throws THAW_DATA_PROCESSOR naming what is missing
 */
export async function checkProcessorFiles(folder: string): Promise<void> {
  for (const names of NEEDED) {
    const found = await Promise.all(
      names.map((name) =>
        access(join(folder, name)).then(
          () => true,
          () => false,
        ),
      ),
    );
    if (!found.includes(true))
      throw processorUnsupported(
        folder,
        `The checkpoint has no ${names.join(" and no ")}.`,
        "Save tokenizer and processor with transformers into that folder; it writes these files.",
      );
  }
}
