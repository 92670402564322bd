import type { RowCounts } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { sumRowCounts, type Accumulator } from "../training/accumulator.js";
import type { Ensemble } from "./ensemble.js";
import type { SharedStop } from "./shared-stop.js";

/** Stands for the loss among the names of parameters. */
const LOSS = "";

/** What a step needs beside its sums to become one of all ranks. */
export interface JoinedStep {
  readonly ensemble: Ensemble;
  readonly stop: SharedStop;
  /** In an order that is the same on every rank, with their shapes. */
  readonly trained: Iterable<string>;
  readonly shapeOf: (name: string) => readonly number[];
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

/**
 * Sums a step over all ranks: gradients, loss, tokens. A parameter that has a gradient on no rank has none afterwards
 * either; where others have one, a rank without adds zeros. Returns the inputs of which no rank had an item.
 * @throws THAW_CORE_RANK_LOST
 */
export async function joinStep(
  sums: Accumulator,
  { ensemble, stop, trained, shapeOf, missingInputs }: JoinedStep,
): Promise<ReadonlySet<string> | undefined> {
  if (ensemble.size === 1) return missingInputs;
  const names = [...trained];
  const own = sums.takeGradients();
  try {
    const mine: RankStep = {
      supervisedTokens: sums.supervisedTokens,
      tokens: sums.tokens,
      ...(sums.rowCounts === undefined ? {} : { rowCounts: sums.rowCounts }),
      has: names.map((name) => (own.has(name) ? "1" : "0")).join(""),
      hasLoss: sums.lossSum !== undefined,
      ...(missingInputs === undefined ? {} : { missing: [...missingInputs] }),
      ...(stop.own === undefined ? {} : { stop: stop.own }),
    };
    const ranks = await ensemble.gather(mine);
    stop.hear(ranks.map((rank) => rank.stop));
    const isThere = names.map((_, index) => ranks.some(({ has }) => has[index] === "1"));
    const given = new Map<string, Tensor>();
    if (ranks.some(({ hasLoss }) => hasLoss)) given.set(LOSS, takeLoss(sums));
    names.forEach((name, index) => {
      if (!isThere[index]) return;
      given.set(name, own.get(name) ?? tf.keep(tf.zeros([...shapeOf(name)])));
      own.delete(name);
    });
    sums.clear();
    for (const [name, tensor] of await ensemble.sum(given))
      if (name === LOSS) sums.giveLoss(tensor);
      else sums.addGradient(name, tensor);
    sums.supervisedTokens = total(ranks, "supervisedTokens");
    sums.tokens = total(ranks, "tokens");
    for (const { rowCounts } of ranks)
      sums.rowCounts = rowCounts === undefined ? sums.rowCounts : sumRowCounts(sums.rowCounts, rowCounts);
    return missingEverywhere(ranks);
  } finally {
    for (const tensor of own.values()) tensor.dispose();
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
