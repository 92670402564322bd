export { captionBaselines, captionEvaluation, selectConcepts } from "./caption-evaluation.js";
export type {
  BaselineSources,
  CaptionEvaluation,
  CaptionEvaluationOptions,
  CaptionPrediction,
  ConceptFilter,
} from "./caption-evaluation.js";
export { exactMatch, majorityCaption, scoreCaptions, tokenF1, wordsOf } from "./caption-metrics.js";
export type { CaptionScores } from "./caption-metrics.js";
export { compileChatTemplate, loadChatTemplate } from "./chat-template.js";
export type { ChatTemplate } from "./chat-template.js";
export { readCheckpointJson, readCheckpointText } from "./checkpoint-file.js";
export { parseClipImageConfig } from "./clip-image-config.js";
export type { ClipImageOptions } from "./clip-image-config.js";
export { clipImageProcessor, clipImageProcessorModule } from "./clip-image-processor.js";
export type { DataSource, PromptBatch, SourceContext } from "./data-source.js";
export { decodeRgb, encodePng, rasterizeSvg, readImageSize } from "./decode.js";
export { captionOf, conceptOf, isSkinToneVariant, isUnseenConcept } from "./concepts.js";
export { acquireDecodePool, defaultWorkers } from "./decode-pool.js";
export type { DecodePool } from "./decode-pool.js";
export { encodeConversation, encodePrompt } from "./encode.js";
export type { EncodedConversation, EncodeOptions } from "./encode.js";
export { processorUnsupported } from "./errors.js";
export { iconSvg, resolveIcon } from "./icon-svg.js";
export type { IconProperties, IconSet, ResolvedIcon } from "./icon-svg.js";
export { iconNames, loadIconSet } from "./iconify.js";
export { nearestPicture } from "./nearest-pixels.js";
export type { PictureSet } from "./nearest-pixels.js";
export { augmentSchema, captionsSchema, conversationsSchema, iconifySchema, sourceSchema } from "./options.js";
export type { AugmentOptions, ResolvedSourceOptions, SourceOptions } from "./options.js";
export { pilResize } from "./pil-resize.js";
export type { ImagePlan, ImageProcessor, ImageProcessorModule, ImageSize, Processor, RgbImage } from "./processor.js";
export { epochOrder, mixSeeds, seededRandom } from "./random.js";
export type { Random } from "./random.js";
export type { ResampleName } from "./resample-filters.js";
export type { ImagePart, ImageReference, Message, MessagePart, Sample, TextPart } from "./sample.js";
export { resolveSource } from "./resolve-source.js";
export { openImages, openSource } from "./source.js";
export { thumbnail } from "./thumbnail.js";
export { loadTokenizer } from "./tokenizer.js";
export type { SpecialTokens, Tokenizer } from "./tokenizer.js";
export { workerModuleUrl } from "./worker-module.js";
