import {
  compose,
  type ConfigReader,
  defineFamily,
  findPrefix,
  finishProcessor,
  gridSide,
  pictureMedia,
  readProcessorFiles,
  readTextModel,
  readVisionModel,
  textDecoder,
  textFacts,
} from "@thaw/models";
import { pooledProjector } from "./connector.js";

/** Every option that decides the model; what is not read here must not change a number. */
function readConfig(config: ConfigReader) {
  const vision = readVisionModel(config.child("vision_config"));
  if (gridSide(vision) % 2 !== 0)
    config.fail("vision_config.patch_size", "The patches of a picture are not even in number.", "Give another size.");
  return {
    vision,
    text: readTextModel(config.child("text_config")),
    imageTokenId: config.number("image_token_index", 32000),
  };
}

/** LLaVA whose projector reads means of 2x2 patches: a quarter of the tokens. */
export const pooledLlavaFamily = defineFamily({
  modelType: "pooled_llava",
  components: {
    vision_tower: ["vision_tower"],
    multi_modal_projector: ["multi_modal_projector"],
    language_model: ["language_model"],
  },
  read: readConfig,
  build: ({ vision, text, imageTokenId }, { config, generationConfig, storedNames }) => {
    const prefix = findPrefix(storedNames, ["vision_tower.vision_model", "vision_tower"], "encoder.layers");
    const use = { prefix, featureStates: [vision.layerCount], dropsFirst: vision.hasClassToken, isNormed: false };
    const projector = {
      name: "multi_modal_projector.linear",
      outputSize: text.options.hiddenSize,
      side: gridSide(vision),
    };
    const names = { prefix: "language_model.model", head: "language_model.lm_head", isTied: false };
    return compose({
      towers: { vision_tower: (place) => vision.tower(use, storedNames, place) },
      connectors: { multi_modal_projector: (place) => pooledProjector(projector, place) },
      decoder: (place) => textDecoder(text.options, names, place),
      media: { image: { placeholder: imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      text: textFacts(text, config, generationConfig),
    });
  },
  processor: async (folder) => {
    const files = await readProcessorFiles(folder);
    const { vision, text, imageTokenId } = readConfig(files.config);
    const image = await pictureMedia(files, vision, () => ({
      token: "<image>",
      id: imageTokenId,
      count: gridSide(vision) ** 2 / 4,
    }));
    return finishProcessor(files, { modelType: "pooled_llava", text, media: { image } });
  },
});
