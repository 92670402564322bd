import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { rankLost } from "../errors/ensemble.js";
import type { Ensemble, LostRank } from "./ensemble.js";

/** A call that not all ranks have made yet. */
interface Meeting {
  readonly given: Map<number, unknown>;
  readonly waiting: { readonly resolve: (all: readonly unknown[]) => void; readonly reject: (error: Error) => void }[];
}

/** Ranks of one process, on one backend: for tests, and for trainers of one program that work by turns. */
export function memoryEnsembles(size: number): readonly Ensemble[] {
  const meetings = new Map<string, Meeting>();
  const left = new Map<number, LostRank>();
  const calls = new Map<string, number>();

  // Sums and messages are apart: a rank may ask for a sum before others gather, and they after
  const meet = (kind: "sum" | "read" | "gather", rank: number, value: unknown): Promise<readonly unknown[]> => {
    const index = calls.get(`${kind} ${rank}`) ?? 0;
    calls.set(`${kind} ${rank}`, index + 1);
    const meeting: Meeting = meetings.get(`${kind} ${index}`) ?? { given: new Map(), waiting: [] };
    meetings.set(`${kind} ${index}`, meeting);
    meeting.given.set(rank, value);
    return new Promise((resolve, reject) => {
      meeting.waiting.push({ resolve, reject });
      if (meeting.given.size === size) {
        const all = Array.from({ length: size }, (_, one) => meeting.given.get(one));
        for (const waiting of meeting.waiting) waiting.resolve(all);
      } else failWithout(meeting);
    });
  };
  const failWithout = (meeting: Meeting): void => {
    const missing = [...left].find(([rank]) => !meeting.given.has(rank));
    if (missing !== undefined) for (const { reject } of meeting.waiting) reject(rankLost(missing[1]));
  };

  /** `owner`: who alone gets the sums. */
  const sum = async (
    rank: number,
    tensors: ReadonlyMap<string, Tensor>,
    owner = rank,
  ): Promise<ReadonlyMap<string, Tensor>> => {
    try {
      const all = (await meet("sum", rank, tensors)) as readonly ReadonlyMap<string, Tensor>[];
      if (owner !== rank) return new Map();
      return new Map(
        [...tensors.keys()].map((name) => [name, tf.keep(tf.addN(all.map((one) => one.get(name)!)))] as const),
      );
    } finally {
      // Others may still have to read them
      await meet("read", rank, null).catch(() => undefined);
      for (const tensor of tensors.values()) tensor.dispose();
    }
  };

  return Array.from({ length: size }, (_, rank): Ensemble => ({
    rank,
    size,
    sum: (tensors) => sum(rank, tensors),
    sumFor: (owner, tensors) => sum(rank, tensors, owner),
    gather: async <T>(value: T) => {
      const all = await meet("gather", rank, JSON.stringify(value));
      return all.map((text) => JSON.parse(text as string) as T);
    },
    close: async (lost = { rank, reason: "it has ended" }) => {
      if (left.has(rank)) return;
      left.set(rank, lost);
      for (const meeting of meetings.values()) if (meeting.given.size < size) failWithout(meeting);
    },
  }));
}
