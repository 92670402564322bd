import type { ComponentFacts, ModelFacts } from "./facts.js";

/** One thing that a run may train, with the settings that say so. */
export interface TrainChoice {
  /** As `--train` takes it. */
  readonly name: string;
  readonly title: string;
  readonly hint: string;
  /** Components that a model must have for it; those in `whole` train in every parameter. */
  readonly needs: readonly string[];
  readonly whole: readonly string[];
  /** Lines of the `freeze` section, indented. */
  freeze(has: (component: string) => boolean): readonly string[];
  readonly learningRate: string;
  /** Where the learning rate is from. */
  readonly source: string;
  /** Learning rates of components that differ. */
  readonly componentRates: Readonly<Record<string, string>>;
}

const PROJECTOR = "multi_modal_projector";
const LANGUAGE_MODEL = "language_model";
const VISION_TOWER = "vision_tower";
const FLAGS = [VISION_TOWER, PROJECTOR, LANGUAGE_MODEL, "audio_tower", "audio_projector"];

/** Flags of the `freeze` section that let these components train, of those that the model has. */
function unfrozen(components: readonly string[], has: (component: string) => boolean): readonly string[] {
  return components.filter(has).map((component) => `  freeze_${component}: false`);
}

/**
 * What `thaw init` offers, the one that costs least first. Learning rates are those of LLaVA-1.5's scripts
 * (haotian-liu/LLaVA, scripts/v1_5: pretrain.sh, finetune.sh, finetune_lora.sh) and, of the tower, of LLaVA-NeXT's.
 */
export const TRAIN_CHOICES: readonly TrainChoice[] = [
  {
    name: "projector",
    title: "The projector alone",
    hint: "fastest: the tower and the language model stay as they are",
    needs: [PROJECTOR],
    whole: [PROJECTOR],
    freeze: () => ["  train_mm_proj_only: true               # everything else is frozen"],
    learningRate: "1e-3",
    source: "LLaVA-1.5 trains its projector with it",
    componentRates: {},
  },
  {
    name: "lora",
    title: "The projector, and the language model by an adapter (LoRA)",
    hint: "the language model's own weights stay as they are",
    needs: [PROJECTOR, LANGUAGE_MODEL],
    whole: [PROJECTOR],
    freeze: (has) => [
      ...unfrozen([PROJECTOR, "audio_projector"], has),
      "  components:",
      "    language_model: { lora: { rank: 16 } } # alpha, dropout, target_modules: docs/freezing.md",
    ],
    learningRate: "2e-4",
    source: "LLaVA-1.5's adapters train with it",
    componentRates: { [PROJECTOR]: "2e-5" },
  },
  {
    name: "language-model",
    title: "The language model alone",
    hint: "the tower and the projector stay as they are",
    needs: [LANGUAGE_MODEL],
    whole: [LANGUAGE_MODEL],
    freeze: () => ["  freeze_language_model: false           # everything else is frozen"],
    learningRate: "2e-5",
    source: "LLaVA-1.5's second stage trains with it",
    componentRates: {},
  },
  {
    name: "projector-and-language-model",
    title: "The projector and the language model",
    hint: "LLaVA's second stage: the tower stays as it is",
    needs: [PROJECTOR, LANGUAGE_MODEL],
    whole: [PROJECTOR, LANGUAGE_MODEL],
    freeze: (has) => unfrozen([PROJECTOR, "audio_projector", LANGUAGE_MODEL], has),
    learningRate: "2e-5",
    source: "LLaVA-1.5's second stage trains with it",
    componentRates: {},
  },
  {
    name: "everything",
    title: "Everything",
    hint: "takes the most memory and time",
    needs: [],
    whole: FLAGS,
    freeze: (has) => unfrozen(FLAGS, has),
    learningRate: "2e-5",
    source: "LLaVA-1.5's second stage trains with it",
    componentRates: { [VISION_TOWER]: "2e-6" },
  },
];

/** What of it a model can train: it has the components, and none that trains whole is stored in 4 or 8 bits. */
export function possibleChoices({ components }: ModelFacts): readonly TrainChoice[] {
  const known = new Map(components.map((component) => [component.name, component]));
  const isKept = (component: ComponentFacts | undefined): boolean => component?.isQuantized === true;
  return TRAIN_CHOICES.filter(
    ({ needs, whole }) => needs.every((name) => known.has(name)) && !whole.some((name) => isKept(known.get(name))),
  );
}
