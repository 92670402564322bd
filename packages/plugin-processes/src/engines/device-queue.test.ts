import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ProcessEnsemble } from "../process-ensemble.js";
import { Messages } from "../wire/messages.js";
import { DeviceQueue } from "./device-queue.js";

/** A card whose memory is a list of tensors, and whose sums are twice what this rank gives. */
class ToyCard {
  readonly memory: tf.Tensor[] = [];
  readonly begun: number[] = [];
  /** False: nothing is computed yet. */
  isComputed = false;
  isDone = false;

  addresses(tensors: readonly tf.Tensor[]): readonly bigint[] {
    return tensors.map((tensor) => BigInt(this.memory.push(tensor) - 1));
  }

  read(address: bigint): number {
    const [value] = this.#at(address);
    return this.isComputed ? new Uint32Array(Float32Array.of(value!).buffer)[0]! : 0x3f_80_00_00;
  }

  begin(
    parts: readonly { readonly from: bigint; readonly to: bigint; readonly count: number }[],
    owner = 0,
  ): () => boolean {
    for (const { from, to, count } of owner === 0 ? parts : []) {
      const given = this.#at(from);
      for (let index = 0; index < count; index++) this.#at(to)[index] = 2 * given[index]!;
    }
    this.begun.push(parts.length);
    return () => this.isDone;
  }

  #at(address: bigint): Float32Array {
    return this.memory[Number(address)]!.dataSync<"float32">();
  }
}

let card: ToyCard;
let queue: DeviceQueue;
let ensemble: ProcessEnsemble;
let tensors = 0;
beforeEach(async () => {
  await tf.setBackend("cpu");
  tensors = tf.memory().numTensors;
  card = new ToyCard();
  queue = new DeviceQueue(card);
  Object.assign(tf.backend(), { deviceMemory: card });
  const engine = {
    name: "toy",
    device: queue,
    sum: async () => undefined,
    advance: () => queue.advance(),
    close: async () => queue.fail(new Error("closed")),
  };
  ensemble = new ProcessEnsemble(new Messages(0, 1, new Map()), engine, async () => undefined);
});
afterEach(async () => {
  await ensemble.close();
  Object.assign(tf.backend(), { deviceMemory: undefined });
  expect(tf.memory().numTensors).toBe(tensors);
});

it("sums on a card begin once the numbers are computed, in order, also while nobody waits", async () => {
  const first = ensemble.sum(
    new Map([
      ["a", tf.tensor([1, 2])],
      ["none", tf.tensor([], [0])],
    ]),
  );
  const second = ensemble.sum(new Map([["b", tf.scalar(3)]]));
  ensemble.advance();
  expect(card.begun).toEqual([]);
  card.isComputed = true;
  ensemble.advance();
  expect(card.begun).toEqual([1, 1]);
  card.isDone = true;
  const [a, b] = await Promise.all([first, second]);
  expect([await a.get("a")!.array(), a.get("none")!.shape, await b.get("b")!.array()]).toEqual([[2, 4], [0], 6]);
  for (const sum of [a, b]) tf.dispose([...sum.values()]);
});

it("adapters are summed in a buffer for each width, and nothing of them comes from the host", async () => {
  // Four layers of rank 4; a matrix that is larger than what is joined stays alone, as does the loss
  const shapes = Array.from({ length: 4 }, () => [[4, 8], [16, 4], [16]]).flat();
  const given = new Map([...shapes, [2048, 1024], []].map((shape, index) => [`${index}`, tf.fill(shape, index)]));
  card.isComputed = true;
  card.isDone = true;
  const { result, kernels } = await tf.profile(async () => {
    const sums = await ensemble.sum(given);
    await new Promise((resolve) => setImmediate(resolve));
    return [...sums.values()];
  });
  const sums = result as tf.Tensor[];
  expect(card.begun).toEqual([5]);
  expect(sums.map(({ shape }) => shape)).toEqual([...shapes, [2048, 1024], []]);
  for (const [index, sum] of sums.entries()) expect(new Set(sum.dataSync())).toEqual(new Set([2 * index]));
  const count = (name: string): number => kernels.filter((kernel) => kernel.name === name).length;
  expect([count("Fill"), count("Concat"), count("SplitV")]).toEqual([1, 3, 3]);
  tf.dispose(sums);
});

it("what another rank alone gets the sum of is freed as soon as it is there, in the middle of other work", async () => {
  card.isComputed = true;
  const given = ["a", "b"].map((name) => [name, tf.ones([3])] as const);
  const others = ensemble.sumFor!(1, new Map([...given, ["c", tf.scalar(2)]]));
  const own = ensemble.sumFor!(0, new Map([["d", tf.scalar(3)]]));
  const held = tf.memory().numTensors;
  card.isDone = true;
  ensemble.advance();
  // The two as one, and the scalar; what is awaited has not gone on
  expect(held - tf.memory().numTensors).toBe(2);
  expect((await others).size).toBe(0);
  const sums = await own;
  expect(await sums.get("d")!.array()).toBe(6);
  tf.dispose([...sums.values()]);
});

it("a sum that is never there ends with what closes the engine, and frees what it was of", async () => {
  const sum = ensemble.sum(new Map([["a", tf.scalar(1)]]));
  const ended = expect(sum).rejects.toThrow("closed");
  await ensemble.close();
  await ended;
  await new Promise((resolve) => setImmediate(resolve));
});
