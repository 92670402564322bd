import { type Batch, type Evaluator, type Session } from "@thaw/core";
import { augment } from "./augment.js";
import type { BpeModel } from "./bpe.js";
import { IMAGE_TOKENS, TOKEN_IDS } from "./model-files.js";
import { rasterOf, type Rasters } from "./rasters.js";
import { itemsOf } from "./picture-source.js";
import { captionOf } from "./training-set.js";
import { VIEW_LENGTH } from "./views.js";

const MAX_NEW_TOKENS = 14;

export interface CaptionCheckOptions {
  /** Names the metrics. */
  readonly name: string;
  readonly rasters: Rasters;
  /** Indices of the pictures to caption. */
  readonly pictures: readonly number[];
  readonly tokenizer: BpeModel;
  readonly promptIds: readonly number[];
  readonly batchSize: number;
  readonly everySteps?: number;
}

/**
 * Captions pictures greedily while the run goes on: token F1 and exact match. A quick look; `thaw evaluate` is the
 * measure.
 */
export function captionCheck(options: CaptionCheckOptions): Evaluator {
  const views = options.pictures.map((picture) => plainView(options.rasters, picture));
  const tokens = [...options.tokenizer.vocabulary.keys()];
  return {
    name: options.name,
    better: { tokenF1: "higher", exactMatch: "higher" },
    everySteps: options.everySteps,
    atStart: false,
    async evaluate(session) {
      let [f1, exact] = [0, 0];
      for (let start = 0; start < views.length; start += options.batchSize) {
        const rows = await captions(
          session,
          views.slice(start, start + options.batchSize),
          `${options.name}:${start}`,
          options.promptIds,
        );
        for (const [row, ids] of rows.entries()) {
          const said = ids
            .map((id) => tokens[id])
            .join("")
            .replaceAll("▁", " ")
            .trim();
          const reference = captionOf(options.rasters.names[options.pictures[start + row] as number] as string);
          f1 += tokenF1(said, reference);
          exact += said === reference ? 1 : 0;
        }
      }
      return { tokenF1: f1 / views.length, exactMatch: exact / views.length };
    },
  };
}

/** Multiset overlap of words. */
export function tokenF1(said: string, reference: string): number {
  const left = said.split(" ").filter(Boolean);
  const right = reference.split(" ").filter(Boolean);
  const spare = new Map<string, number>();
  for (const word of right) spare.set(word, (spare.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of left) {
    const count = spare.get(word) ?? 0;
    if (count > 0) common += 1;
    spare.set(word, count - 1);
  }
  return common === 0 ? 0 : (2 * common) / (left.length + right.length);
}

/** A picture as it is, on white. */
function plainView(rasters: Rasters, picture: number): Float32Array {
  const output = new Float32Array(VIEW_LENGTH);
  augment(rasterOf(rasters, picture), { strength: 0, mirror: false, random: () => 0.5, output });
  return output;
}

function captions(
  session: Session,
  views: readonly Float32Array[],
  key: string,
  promptIds: readonly number[],
): Promise<number[][]> {
  const row = [...Array.from({ length: IMAGE_TOKENS }, () => TOKEN_IDS["<image>"]), ...promptIds];
  const batch: Batch = {
    tokenIds: Int32Array.from(views.flatMap(() => row)),
    attentionMask: new Int32Array(views.length * row.length).fill(1),
    labels: new Int32Array(views.length * row.length).fill(-100),
    batchSize: views.length,
    tokenCount: row.length,
    media: itemsOf(views, key),
    segmentOutputs: {},
    samples: views.map((_, index) => ({ id: `${key}:${index}` })),
  };
  return session.generate(batch, { maxNewTokens: MAX_NEW_TOKENS });
}
