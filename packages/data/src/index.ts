export type { ChatTemplate } from "./chat-template.js";
export type { DataSource, PromptBatch, SourceContext } from "./data-source.js";
export { augmentSchema, captionsSchema, conversationsSchema, iconifySchema, sourceSchema } from "./options.js";
export type { AugmentOptions, ResolvedSourceOptions, SourceOptions } from "./options.js";
export type { ImagePlan, ImageProcessor, ImageProcessorModule, ImageSize, Processor, RgbImage } from "./processor.js";
export type { ImagePart, ImageReference, Message, MessagePart, Sample, TextPart } from "./sample.js";
export type { Tokenizer } from "./tokenizer.js";
// Announced signatures; the functions follow in the next commits:
//   openSource(options: SourceOptions, context: SourceContext): Promise<DataSource>
//   encodeConversation(processor, messages, plans, { endToken: "template" | "always" }): { tokenIds, labels }
//   encodePrompt(processor, messages, plans): number[]
//   captionEvaluation({ source, training?, concepts?, generate, ... }): Promise<CaptionEvaluation>
