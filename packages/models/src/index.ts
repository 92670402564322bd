export { ACTIVATION_NAMES, activate, readActivation, type ActivationName } from "./blocks/activations.js";
export { clipTower } from "./towers/clip.js";
export { readSiglipConfig, siglipTower, type SiglipConfig } from "./towers/siglip.js";
export { gridSide, vitTower, type PictureSize, type VitOptions, type VitUse } from "./towers/vit.js";
export { readVisionModel, VISION_MODEL_TYPES, type VisionModel } from "./towers/vision-model.js";
export { encoder, type EncoderEmbeddings, type EncoderEnd, type EncoderOptions } from "./towers/encoder.js";
export { encoderLayer, type EncoderLayer, type EncoderLayerOptions, type EncoderPass } from "./towers/encoder-layer.js";
export { embedPatches, patchEmbeddingSpecs, patchesOf, type PatchEmbeddingOptions } from "./towers/patches.js";
export { readClipConfig, type ClipConfig } from "./towers/clip-config.js";
export { configReader, tokenIds, type ConfigReader } from "./reading/config-reader.js";
export { DecodedBatch, type DecodedBatchInput } from "./passes/decoded-batch.js";
export type { Addition, Additions } from "./decoders/additions.js";
export type { ChosenRows, Decoder, LayerInput } from "./decoders/decoder.js";
export { decoderNames, decoderSegments, type DecoderSegments } from "./decoders/decoder-segments.js";
export type { DecoderPass, LayerKind, LayerPass, LayerState, RotaryLines } from "./decoders/layer-kind.js";
export type { Attending, Positions } from "./passes/attending.js";
export { rotaryFrequencies, type RotaryOptions } from "./blocks/rope.js";
export type {
  Architecture,
  CheckpointHeader,
  Family,
  InitialValues,
  OwnerTable,
  ParameterRole,
  ParameterSpec,
} from "./contract/family.js";
export { generate, type Prompted } from "./passes/generate.js";
export { findPrefix } from "./blocks/layout.js";
export { textDecoder, type TextDecoderOptions, type TextLayer, type TextNames } from "./decoders/text-decoder.js";
export { readTextModel, TEXT_MODEL_TYPES } from "./decoders/text/text-model.js";
export type { TextModel } from "./decoders/text/sizes.js";
export { attentionMixer, type AttentionOptions } from "./layers/attention.js";
export { experts, type ExpertsOptions } from "./layers/experts.js";
export { gatedDeltaNet, type GatedDeltaNetOptions } from "./layers/gated-delta-net.js";
export { gatedMlp, type GatedMlpOptions } from "./layers/gated-mlp.js";
export { normed, normedHeads, normSpecs, type NormOptions } from "./layers/norms.js";
export { plainMlp, type PlainMlpOptions } from "./layers/plain-mlp.js";
export type { Mixer, MixerInput, RowBlock } from "./layers/parts.js";
export { convolveSeen, shortConvolution, type ShortConvolutionOptions } from "./layers/short-convolution.js";
export { llavaFamily } from "./families/llava/family.js";
export { loadLlavaProcessor } from "./families/llava/processor.js";
export { mixTokens, type MixedTokens } from "./blocks/merge-features.js";
export { mlpProjector, type MlpProjectorConfig } from "./connectors/mlp.js";
export { finishProcessor, imageSettings, readProcessorFiles, tokenId } from "./families/processor-kit.js";
export type { ProcessorFiles, ProcessorParts } from "./families/processor-kit.js";
export { checkPictureSize, pictureMedia, type PictureTokens } from "./families/picture-media.js";
export { compose, type Composition, type Medium } from "./families/compose.js";
export { defineFamily, type FamilyDefinition } from "./contract/define-family.js";
export type { Connector, ConnectorPlace, Part, Place, Tower, TowerPlace } from "./contract/parts.js";
export { openModel, type OpenModelOptions } from "./open/open-model.js";
export { openProcessor } from "./open/open-processor.js";
export { checkProcessorFiles } from "./open/processor-files.js";
export { placeholderModel } from "./open/placeholder.js";
export { initialValues } from "./checkpoint/initial-values.js";
export { OWNER_TABLES } from "./owners/owner-tables.js";
export type { DocumentedOwnerTable } from "./owners/owner-table.js";
export { FAMILIES, findFamily, findOwners, knownFamilies, knownModelTypes } from "./open/families.js";
export type { SaveOptions } from "./checkpoint/save.js";
export { readSpecialTokens, textFacts } from "./reading/special-tokens.js";
export { linearSpecs, layerNormSpecs, namesOf } from "./blocks/specs.js";
export { PIXEL_VALUES } from "./towers/inputs.js";
