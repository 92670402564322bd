import type { RowCounts } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { sumRowCounts, type Accumulator } from "../training/accumulator.js";
import type { Ensemble } from "./ensemble.js";
import { LOSS, type GradientBuckets } from "./gradient-buckets.js";
import type { SharedStop } from "./shared-stop.js";

/** What a step needs beside its sums to become one of all ranks. */
export interface JoinedStep {
  readonly ensemble: Ensemble;
  readonly stop: SharedStop;
  /** Those of this step, of which some may be on their way. */
  readonly buckets: GradientBuckets;
  /** In an order that is the same on every rank. */
  readonly trained: Iterable<string>;
  /** Inputs of which this rank's micro-batches had no item; undefined: it had no samples. */
  readonly missingInputs: ReadonlySet<string> | undefined;
}

/** Of one rank's step, what is known on the host. */
interface RankStep {
  readonly supervisedTokens: number;
  readonly tokens: number;
  readonly rowCounts?: RowCounts;
  /** For each trained parameter, in order: does it have a gradient here? */
  readonly has: string;
  readonly hasLoss: boolean;
  readonly missing?: readonly string[];
  readonly stop?: string;
}

/** What is known of a step once all ranks told of theirs. */
export interface JoinedSums {
  /** Inputs of which no rank had an item; undefined: none had samples. */
  readonly missingInputs: ReadonlySet<string> | undefined;
  /** Parameters that have a gradient on some rank, in an order that is the same on all. */
  readonly updated: readonly string[];
}

/**
 * Sums a step over all ranks: gradients, loss, tokens. A parameter that has a gradient on no rank has none afterwards
 * either; where others have one, a rank without adds zeros. A gradient that one rank alone needs is there alone.
 * @throws THAW_CORE_RANK_LOST
 */
export async function joinStep(
  sums: Accumulator,
  { ensemble, stop, buckets, trained, missingInputs }: JoinedStep,
): Promise<JoinedSums> {
  const names = [...trained];
  for (const [name, gradient] of sums.takeGradients()) buckets.give(name, gradient);
  const mine: RankStep = {
    supervisedTokens: sums.supervisedTokens,
    tokens: sums.tokens,
    ...(sums.rowCounts === undefined ? {} : { rowCounts: sums.rowCounts }),
    has: names.map((name) => (buckets.has(name) ? "1" : "0")).join(""),
    hasLoss: sums.lossSum !== undefined,
    ...(missingInputs === undefined ? {} : { missing: [...missingInputs] }),
    ...(stop.own === undefined ? {} : { stop: stop.own }),
  };
  buckets.give(LOSS, takeLoss(sums));
  sums.clear();
  const [ranks, summed] = await both(ensemble.gather(mine), buckets.finish());
  stop.hear(ranks.map((rank) => rank.stop));
  const isThere = new Set(names.filter((_, index) => ranks.some(({ has }) => has[index] === "1")));
  const hasLoss = ranks.some((rank) => rank.hasLoss);
  for (const [name, tensor] of summed)
    if (name === LOSS && hasLoss) sums.giveLoss(tensor);
    else if (isThere.has(name)) sums.addGradient(name, tensor);
    else tensor.dispose();
  sums.supervisedTokens = total(ranks, "supervisedTokens");
  sums.tokens = total(ranks, "tokens");
  for (const { rowCounts } of ranks)
    sums.rowCounts = rowCounts === undefined ? sums.rowCounts : sumRowCounts(sums.rowCounts, rowCounts);
  return { missingInputs: missingEverywhere(ranks), updated: [...isThere] };
}

/** What both give; what the second gives is freed where the first fails. */
async function both<T>(
  first: Promise<T>,
  second: Promise<ReadonlyMap<string, Tensor>>,
): Promise<readonly [T, ReadonlyMap<string, Tensor>]> {
  try {
    return await Promise.all([first, second]);
  } catch (error) {
    void second.then(
      (tensors) => tf.dispose([...tensors.values()]),
      () => undefined,
    );
    throw error;
  }
}

/** A copy of the sum of losses, which the accumulator frees; zero where there is none. */
function takeLoss({ lossSum }: Accumulator): Tensor {
  return tf.keep(lossSum === undefined ? tf.scalar(0) : tf.clone(lossSum));
}

function total(ranks: readonly RankStep[], what: "supervisedTokens" | "tokens"): number {
  return ranks.reduce((sum, rank) => sum + rank[what], 0);
}

function missingEverywhere(ranks: readonly RankStep[]): ReadonlySet<string> | undefined {
  const told = ranks.flatMap(({ missing }) => (missing === undefined ? [] : [missing]));
  if (told.length === 0) return undefined;
  return new Set(told[0]!.filter((input) => told.every((missing) => missing.includes(input))));
}
