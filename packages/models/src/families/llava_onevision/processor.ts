import { shown } from "@thaw/contracts";
import { type Processor, processorUnsupported } from "@thaw/data";
import { anyresMedia } from "../anyres-media.js";
import { finishProcessor, type ProcessorFiles, readProcessorFiles } from "../processor-kit.js";
import type { AnyresConfig } from "../llava_next/config.js";
import { readLlavaOnevisionConfig } from "./config.js";

/**
 * The processor of a LLaVA-OneVision checkpoint folder. Every picture is cut into tiles, also where a sample has
 * several, as transformers does with a flat list of pictures. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER,
 * THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadLlavaOnevisionProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const config = readLlavaOnevisionConfig(files.config);
  checkCounts(files, config);
  const image = await anyresMedia(files, config, "LlavaOnevisionImageProcessor");
  return finishProcessor(files, { modelType: "llava_onevision", text: config.text, media: { image } });
}

/** What the processor counts tokens by must be what the model makes of a tile, and when it shrinks grids. */
function checkCounts({ processor, folder }: ProcessorFiles, { side, tileLimit, keepClassToken }: AnyresConfig): void {
  const strategy = processor["vision_feature_select_strategy"] ?? (keepClassToken ? "full" : "default");
  const dropped = strategy === "default" ? 1 : 0;
  const perTile = Number(processor["num_image_tokens"] ?? side ** 2 + dropped) - dropped;
  if (perTile !== side ** 2)
    throw processorUnsupported(
      folder,
      `The processor writes ${perTile} tokens for a tile, but the vision tower gives ${side ** 2} features.`,
      "Correct num_image_tokens and vision_feature_select_strategy in processor_config.json.",
    );
  const ratio = processor["vision_aspect_ratio"] ?? `anyres_max_${tileLimit}`;
  if (ratio !== `anyres_max_${tileLimit}`)
    throw processorUnsupported(
      folder,
      `The processor has the vision_aspect_ratio ${shown(ratio)}, and config.json anyres_max_${tileLimit}.`,
      "Write the same into both.",
    );
}
