import {
  cropGrid,
  cropToPatchesModule,
  type ImageSize,
  type ItemPlan,
  parseCropToPatchesConfig,
  type Processor,
  processorUnsupported,
} from "@thaw/data";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { gridSide } from "../../towers/vit.js";
import { checkPictureSize } from "../picture-media.js";
import { finishProcessor, imageSettings, readProcessorFiles, tokenId } from "../processor-kit.js";
import { readInternVlConfig } from "./config.js";

/** Which asks its image processor for tiles whatever that one's file says (`processing_internvl.py`). */
const CROPPING = "InternVLProcessor";

/**
 * The processor of an InternVL checkpoint folder. Source: transformers 5.24, `processing_internvl.py`.
 * @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing
 * or disagree
 */
export async function loadInternVlProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, text, merge, imageTokenId } = readInternVlConfig(files.config);
  const { patchSize, channelCount } = vision;
  const settings = await imageSettings(files);
  const isCropping = [files.processor, settings].some((file) => file["processor_class"] === CROPPING);
  const options = parseCropToPatchesConfig(isCropping ? { ...settings, crop_to_patches: true } : settings, folder);
  checkPictureSize(options.size, vision, folder);
  const side = gridSide(vision);
  const perTile = (side / merge) ** 2;
  const said = files.processor["image_seq_length"] ?? perTile;
  if (said !== perTile)
    throw processorUnsupported(
      folder,
      `The processor writes ${JSON.stringify(said)} tokens for a tile, but the projector gives ${perTile}.`,
      "Correct image_seq_length in processor_config.json or downsample_ratio in config.json.",
    );
  const { named } = files.tokenizer.special;
  const image = named["context_image_token"] ?? "<IMG_CONTEXT>";
  const [start, end] = [named["start_image_token"] ?? "<img>", named["end_image_token"] ?? "</img>"];
  tokenId(files, image, imageTokenId);
  const plan = (size: ImageSize = options.size): ItemPlan => {
    const { rows, columns } = cropGrid(size, options);
    const tiles = rows * columns === 1 ? 1 : rows * columns + 1;
    return {
      placeholder: `${start}${image.repeat(tiles * perTile)}${end}`,
      tokenId: imageTokenId,
      tokenCount: tiles * perTile,
      facts: { tiles: [tiles] },
      inputs: { [PIXEL_VALUES]: { rows: tiles * side ** 2, width: channelCount * patchSize ** 2 } },
    };
  };
  const worker = cropToPatchesModule({ ...options, patchSize, merge });
  const needsSize = options.tiles !== undefined;
  return finishProcessor(files, {
    modelType: "internvl",
    text,
    media: { image: { placeholder: image, rasterSize: options.size, worker, needsSize, plan } },
  });
}
