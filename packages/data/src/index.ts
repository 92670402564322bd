export { mulberry32, type Random } from "@thaw/contracts";
export { convolvedRows, clipFrames, whisperFeatures, whisperFeaturesModule } from "./audio/whisper-features.js";
export type { ClipFrames, WhisperOptions } from "./audio/whisper-features.js";
export {
  gemma4Features,
  gemma4FeaturesModule,
  gemma4Frames,
  waveRows,
  waveRowsModule,
} from "./audio/gemma4-features.js";
export type { Gemma4AudioOptions } from "./audio/gemma4-features.js";
export type { AudioClip, AudioProcessor, ClipSize } from "./audio/clip.js";
export { decodeClip } from "./audio/decode-clip.js";
export { compileChatTemplate, loadChatTemplate } from "./text/chat-template.js";
export type { ChatTemplate } from "./text/chat-template.js";
export { readCheckpointJson, readCheckpointText } from "./text/checkpoint-file.js";
export {
  anyresImageProcessor,
  anyresImageProcessorModule,
  bestPinpoint,
  LLAVA_NEXT_PINPOINTS,
  LLAVA_ONEVISION_PINPOINTS,
  parseAnyresImageConfig,
  readPinpoints,
} from "./image-processors/anyres.js";
export type { AnyresImageOptions, AnyresPatchOptions } from "./image-processors/anyres.js";
export { cropGrid, cropToPatchesModule, parseCropToPatchesConfig } from "./image-processors/crop-to-patches.js";
export type { CropToPatchesOptions, CropToPatchesTowerOptions } from "./image-processors/crop-to-patches.js";
export { idefics3Grid, idefics3ImageProcessorModule, parseIdefics3ImageConfig } from "./image-processors/idefics3.js";
export type { Idefics3ImageOptions, Idefics3PatchOptions, TileGrid } from "./image-processors/idefics3.js";
export { parseClipImageConfig } from "./images/clip-image-config.js";
export type { ClipImageOptions } from "./images/clip-image-config.js";
export { clipImageProcessor, clipImageProcessorModule } from "./images/clip-image-processor.js";
export type { ClipPatchOptions } from "./images/clip-image-processor.js";
export { channelsLast, cutPatches, placeOf } from "./images/patches.js";
export type { PlaneSize } from "./images/patches.js";
export type { DataSource, LookedAt, PromptBatch, SourceContext } from "./batches/data-source.js";
export { decodeRgb, encodePng, rasterizeSvg, readImageSize } from "./images/decode.js";
export { captionOf, conceptOf, isSkinToneVariant, isUnseenConcept } from "./samples/concepts.js";
export { acquireDecodePool, defaultWorkers } from "./workers/decode-pool.js";
export type { DecodePool } from "./workers/decode-pool.js";
export { encodeConversation, encodePrompt } from "./text/encode.js";
export type { EncodedConversation, EncodedPrompt, EncodeOptions } from "./text/encode.js";
export { processorUnsupported, templateFailed } from "./errors/samples.js";
export { iconSvg, resolveIcon } from "./formats/iconify/icon-svg.js";
export type { IconProperties, IconSet, ResolvedIcon } from "./formats/iconify/icon-svg.js";
export { iconNames, loadIconSet } from "./formats/iconify/iconify.js";
export { augmentSchema } from "./formats/options.js";
export type { MixOptions } from "./formats/options.js";
export { BUILT_IN_FORMATS } from "./formats/built-in.js";
export { fileName } from "./formats/names.js";
export { sampleList, samplesIn } from "./formats/sample-sets.js";
export { mixedSchemaOf, sourceSchemaOf } from "./formats/source-schema.js";
export type { AugmentOptions, CommonOptions, DataSetOptions } from "./formats/generated/option-types.js";
export type { MixedSource, ResolvedMixedSource, ResolvedSource, SourceOptions } from "./formats/source-schema.js";
export type { HoldOut } from "./batches/hold-out.js";
export { scanSource } from "./batches/scan.js";
export type { ScanReport } from "./batches/scan.js";
export { pilResize } from "./images/pil-resize.js";
export { imageProcessorClass, pixelPlanes, readPixelOptions } from "./images/pixel-values.js";
export type { ChannelValues, PixelOptions } from "./images/pixel-values.js";
export type { ImageProcessor, ImageSize, RgbImage } from "./images/processor.js";
export { itemColumns, mediaOf, placeholdersOf } from "./media/processor.js";
export type {
  AudioMedia,
  ImageMedia,
  ItemPlan,
  MediaProcessor,
  MediaProcessorModule,
  Processor,
  ProcessorMedia,
} from "./media/processor.js";
export { packedGrid, packedImageProcessorModule, parsePackedImageConfig } from "./image-processors/packed.js";
export type { PackedClassName, PackedImageOptions, PackedPatches } from "./image-processors/packed.js";
export {
  parsePixtralImageConfig,
  pixtralGrid,
  pixtralImageProcessor,
  pixtralImageProcessorModule,
} from "./image-processors/pixtral.js";
export {
  gemma3ImageProcessor,
  gemma3ImageProcessorModule,
  panAndScanParts,
  parseGemma3ImageConfig,
} from "./image-processors/gemma3.js";
export type { Gemma3ImageOptions, PanAndScanOptions } from "./image-processors/gemma3.js";
export { ovis2ImageProcessorModule, ovis2TileGrid, parseOvis2ImageConfig } from "./image-processors/ovis2.js";
export type { Ovis2ImageOptions, Ovis2TileOptions } from "./image-processors/ovis2.js";
export type { PixtralImageOptions } from "./image-processors/pixtral.js";
export {
  gemma4BlockProcessor,
  gemma4BlockProcessorModule,
  gemma4Grid,
  gemma4ImageProcessor,
  gemma4ImageProcessorModule,
  parseGemma4ImageConfig,
} from "./image-processors/gemma4.js";
export type { Gemma4ImageOptions } from "./image-processors/gemma4.js";
export {
  miniCpmImageProcessor,
  miniCpmImageProcessorModule,
  miniCpmLayout,
  parseMiniCpmImageConfig,
} from "./image-processors/minicpm.js";
export type { MiniCpmImageOptions, MiniCpmLayout } from "./image-processors/minicpm.js";
export {
  lfm2ImageProcessor,
  lfm2ImageProcessorModule,
  lfm2Layout,
  parseLfm2ImageConfig,
} from "./image-processors/lfm2.js";
export type { Lfm2ImageOptions, Lfm2Layout } from "./image-processors/lfm2.js";
export { epochOrder, mixSeeds } from "./batches/random.js";
export type { ResampleName } from "./images/resample-filters.js";
export type {
  ImageReference,
  MediaPart,
  MediaReference,
  Message,
  MessagePart,
  Modality,
  Sample,
  SampleChoices,
  SampleMedia,
  TextPart,
} from "@thaw/contracts";
export { mediaReference } from "./samples/media-reference.js";
export { resolveSource } from "./formats/resolve-source.js";
export { glanceAtSource } from "./batches/glance.js";
export type { Glance } from "./batches/glance.js";
export { openMedia, openQuestions, openSource } from "./batches/source.js";
export type { OpenContext } from "./batches/source.js";
export { thumbnail } from "./images/thumbnail.js";
export { readVocabulary } from "./text/vocabulary.js";
export { loadTokenizer } from "./text/tokenizer.js";
export type { SpecialTokens, Tokenizer, TokenizerOptions } from "./text/tokenizer.js";
export { workerModuleUrl } from "./workers/worker-module.js";
