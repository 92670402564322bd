import { findPrefix, type PrefixChoices } from "../../blocks/layout.js";
import { patchMerger, type Merger } from "../../connectors/patch-merger.js";
import { defineFamily } from "../../contract/define-family.js";
import type { Family } from "../../contract/family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import type { ModuleName } from "../../owners/module-names.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { textFacts } from "../../reading/special-tokens.js";
import { qwenTower } from "../../towers/qwen/qwen.js";
import { compose } from "../compose.js";
import { gridAttending } from "../grid-positions.js";
import { textNames } from "../llava-names.js";
import { type QwenConfig, type QwenConfigForm, readQwenConfig } from "./config.js";
import { loadQwenProcessor } from "./processor.js";
import type { QwenVision } from "./vision.js";

/** A generation of them. */
export interface QwenDefinition extends QwenConfigForm {
  readonly modelType: string;
  readonly components: Readonly<Record<string, readonly string[]>>;
  readonly moduleNames?: readonly ModuleName[];
  readonly ignoredNames?: readonly string[];
  /** How files spell the prefixes of the vision and the text model, the usual way first. */
  readonly prefixes: { readonly vision: PrefixChoices; readonly text: PrefixChoices };
}

/** Name of the tower's last state, and of what the tokens become. */
const MAIN = "main";

/**
 * A family of Qwen2-VL's kind: a tower over pictures of any grid, mergers, a text model with positions on three axes.
 */
export function qwenFamily(definition: QwenDefinition): Family {
  const { modelType, components, moduleNames, ignoredNames, prefixes } = definition;
  const read = (config: ConfigReader): QwenConfig => readQwenConfig(config, definition);
  return defineFamily<QwenConfig>({
    modelType,
    components,
    ...(moduleNames && { moduleNames }),
    ...(ignoredNames && { ignoredNames }),
    read,
    build: ({ vision, text, imageTokenId, tied }, { config: reader, generationConfig, storedNames }) => {
      const prefix = findPrefix(storedNames, prefixes.vision, "blocks");
      const { tower, deepstack } = vision;
      const mergers = mergersOf(vision, prefix);
      const outputs = mergers.map(({ output }) => ({ name: output, width: tower.hiddenSize }));
      const textPrefix = findPrefix(storedNames, prefixes.text, "layers");
      const names = textNames(textPrefix, "lm_head", tied, storedNames);
      return compose({
        towers: {
          vision_tower: (place) =>
            qwenTower(
              {
                ...tower,
                prefix,
                featureStates: [tower.layerCount, ...deepstack.map(({ layer }) => layer + 1)],
                ...(deepstack.length > 0 && { outputs }),
              },
              place,
            ),
        },
        connectors: {
          multi_modal_projector: (place) =>
            patchMerger(
              { mergers, patchWidth: tower.hiddenSize, outputSize: vision.outputSize, merge: tower.merge },
              place,
            ),
        },
        decoder: (place) => textDecoder(text.options, names, place),
        media: { image: { placeholder: imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
        attending: gridAttending(tower.merge),
        addedBehind: Object.fromEntries(mergers.slice(1).map(({ output }, layer) => [output, layer])),
        text: textFacts(text, reader, generationConfig),
      });
    },
    processor: (folder) => loadQwenProcessor(folder, modelType, read),
  });
}

/** The main merger, then those of DeepStack, which norm whole blocks. */
function mergersOf({ merger, deepstack }: QwenVision, prefix: string): readonly [Merger, ...Merger[]] {
  const named = (name: string): Pick<Merger, "names" | "norm"> => ({
    names: {
      norm: `${name}.${merger.names.norm}`,
      first: `${name}.${merger.names.first}`,
      second: `${name}.${merger.names.second}`,
    },
    norm: merger.norm,
  });
  return [
    { output: MAIN, ...named(`${prefix}.merger`) },
    ...deepstack.map(({ merger: place }, index) => ({
      output: `deepstack ${index}`,
      ...named(`${prefix}.deepstack_merger_list.${place}`),
      normsBlocks: true,
    })),
  ];
}
