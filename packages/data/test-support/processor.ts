import { fileURLToPath } from "node:url";
import { compileChatTemplate, loadChatTemplate } from "../src/text/chat-template.js";
import { type ClipImageOptions, parseClipImageConfig } from "../src/images/clip-image-config.js";
import { clipImageProcessorModule } from "../src/images/clip-image-processor.js";
import { readCheckpointJson } from "../src/text/checkpoint-file.js";
import { whisperFeaturesModule } from "../src/audio/whisper-features.js";
import type { AudioMedia, Processor } from "../src/media/processor.js";
import { loadTokenizer } from "../src/text/tokenizer.js";

export const GOLDEN_LLAVA = fileURLToPath(new URL("../../../test/fixtures/goldens/llava", import.meta.url));

/** Sound at 16 kHz, one token (`<pad>`) per frame of 10 ms. */
const AUDIO: AudioMedia = {
  placeholder: "<audio>",
  samplingRate: 16000,
  worker: whisperFeaturesModule({
    melCount: 4,
    fftSize: 400,
    hopLength: 160,
    samplingRate: 16000,
    clipSamples: 160,
    longer: "multiple",
    paddingValue: 0,
    kept: "all",
  }),
  needsSize: true,
  plan: (size) => {
    const frames = Math.ceil(size!.sampleCount / 160);
    if (frames > 100) throw new Error("it is longer than a second");
    return {
      placeholder: "<pad>".repeat(frames),
      tokenId: 331,
      tokenCount: frames,
      facts: {},
      inputs: { inputFeatures: { rows: frames, width: 4 } },
    };
  },
};

/**
 * A processor of the golden LLaVA checkpoint with 4 tokens per image; `template: null` for none, a text for another.
 * With `audio` it reads sound too.
 */
export async function testProcessor(
  options: {
    readonly template?: string | null;
    readonly image?: Partial<ClipImageOptions>;
    readonly audio?: boolean;
  } = {},
): Promise<Processor> {
  const tokenizer = await loadTokenizer(GOLDEN_LLAVA);
  const image = {
    ...parseClipImageConfig((await readCheckpointJson(GOLDEN_LLAVA, "preprocessor_config.json"))!, GOLDEN_LLAVA),
    ...options.image,
  };
  const patchSize = Math.floor(image.size.height / 2);
  const context = { special: tokenizer.special, placeholders: { image: "<image>", audio: "<audio>" } };
  const template =
    options.template === undefined
      ? await loadChatTemplate(GOLDEN_LLAVA, context)
      : options.template === null
        ? undefined
        : compileChatTemplate(options.template, { source: "test", ...context });
  const plan = {
    placeholder: "<image>".repeat(4),
    tokenId: tokenizer.idOf("<image>")!,
    tokenCount: 4,
    facts: { grid: [2, 2] },
    inputs: { pixelValues: { rows: 4, width: 3 * patchSize ** 2 } },
  };
  return {
    modelType: "llava",
    source: GOLDEN_LLAVA,
    tokenizer,
    template,
    captionPrompt: "Caption:",
    endTokenIds: [2],
    endTokenId: 2,
    padTokenId: 331,
    maxPositions: 512,
    media: {
      image: {
        placeholder: "<image>",
        rasterSize: image.size,
        worker: clipImageProcessorModule({ ...image, patchSize }),
        needsSize: false,
        plan: () => plan,
      },
      ...(options.audio === true && { audio: AUDIO }),
    },
  };
}
