import "@tensorflow/tfjs-backend-cpu";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { setBackend, memory, tensor } from "@tensorflow/tfjs-core";
import type { Ensemble } from "@thaw/core";
import { runDifference, runTiny, tinyTrainerOptions } from "@thaw/testing";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectProcesses } from "./connect.js";
import { openLibrary, polled } from "./engines/native-library.js";
import type { Place } from "./place.js";
import { processes } from "./plugin.js";
import { freePort } from "./wire/free-port.js";

let tensors = 0;
const opened: Ensemble[] = [];
beforeAll(async () => {
  await setBackend("cpu");
});
beforeEach(() => {
  tensors = memory().numTensors;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  expect(memory().numTensors).toBe(tensors);
});

const hashOf = (values: Float32Array): string => createHash("sha256").update(values).digest("hex");

async function placesOf(size: number): Promise<readonly Place[]> {
  const port = await freePort();
  return Array.from({ length: size }, (_, rank) => ({ rank, size, address: "127.0.0.1", port, token: "a secret" }));
}

async function connected(size: number): Promise<readonly Ensemble[]> {
  const all = await Promise.all((await placesOf(size)).map((place) => connectProcesses(place)));
  opened.push(...all);
  return all;
}

describe("processes connected by TCP", () => {
  it.each([2, 3, 5])("sum to the same bits on each of %i ranks, whatever the sizes", async (size) => {
    const ranks = await connected(size);
    const shapes: readonly (readonly number[])[] = [[], [3], [2, 0], [7, 11], [200_003]];
    const value = (rank: number, index: number): number => Math.fround(Math.sin(rank * 7.1 + index * 0.37));
    const given = (rank: number) =>
      new Map(
        shapes.map((shape) => {
          const count = shape.reduce((product, one) => product * one, 1);
          const values = Float32Array.from({ length: count }, (_, index) => value(rank, index));
          return [`[${shape.join()}]`, tensor(values, [...shape])] as const;
        }),
      );
    const sums = await Promise.all(ranks.map((one) => one.sum(given(one.rank))));
    const bits = await Promise.all(
      sums.map((sum) =>
        Promise.all([...sum].map(async ([name, one]) => [name, one.shape, hashOf(await one.data<"float32">())])),
      ),
    );
    for (const one of bits.slice(1)) expect(one).toEqual(bits[0]);
    for (const owner of ranks.keys()) {
      const owned = await Promise.all(ranks.map((one) => one.sumFor!(owner, given(one.rank))));
      expect(owned.map(({ size: count }) => count)).toEqual(ranks.map(({ rank }) => (rank === owner ? 5 : 0)));
      for (const [name, one] of owned[owner]!) {
        const all = await sums[0]!.get(name)!.data();
        (await one.data()).forEach((number, index) => expect(Math.abs(number - all[index]!)).toBeLessThan(1e-5));
        one.dispose();
      }
    }
    const last = (await sums[0]!.get("[200003]")!.data()).at(-1)!;
    expect(last).toBeCloseTo(
      ranks.reduce((sum, { rank }) => sum + value(rank, 200_002), 0),
      5,
    );
    for (const sum of sums) for (const one of sum.values()) one.dispose();
    expect(await Promise.all(ranks.map((one) => one.gather({ rank: one.rank })))).toEqual(
      ranks.map(() => ranks.map(({ rank }) => ({ rank }))),
    );
  });

  it("train as one process does", async () => {
    const options = (more: object) => tinyTrainerOptions({ training: { microBatchSize: 2 }, ...more });
    const places = await placesOf(2);
    const [whole, ...ranks] = await Promise.all([
      runTiny(options({ training: { microBatchSize: 4 } })),
      ...places.map((place) => runTiny(options({ processes: 2, plugins: [processes(place)] }))),
    ]);
    for (const rank of ranks) expect(runDifference(whole!, rank)).toBeLessThan(1e-4);
  });

  it("all hear of a failure, whoever waits for what, and of a rank that left", async () => {
    const lost = { code: "THAW_CORE_RANK_LOST", details: { rank: 1, reason: "out of luck" } };
    const [first, second, third] = (await connected(3)) as [Ensemble, Ensemble, Ensemble];
    const waiting = [first.gather(1), third.sum(new Map([["a", tensor([1])]]))].map((call) =>
      call.then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    await second.close(lost.details);
    expect(await Promise.all(waiting)).toMatchObject([lost, lost]);
    await expect(third.gather(1)).rejects.toMatchObject(lost);

    const [one, other] = (await connected(2)) as [Ensemble, Ensemble];
    await one.close();
    await expect(other.gather(1)).rejects.toMatchObject({
      code: "THAW_CORE_RANK_LOST",
      details: { rank: 0, reason: "it has ended" },
    });
  });

  it("let in nobody without the token, and say who did not come", async () => {
    const places = await placesOf(3);
    const wait = { waitSeconds: 1 };
    const stranger = new Promise<string>((resolve) => {
      const socket = connect(places[0]!.port!, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\n\r\n"));
      socket.on("error", () => resolve("refused"));
      socket.on("close", () => resolve("closed"));
    });
    const results = await Promise.allSettled([
      connectProcesses(places[0]!, wait),
      connectProcesses({ ...places[1]!, token: "another" }, wait),
    ]);
    expect(results.map((result) => (result as PromiseRejectedResult).reason as unknown)).toMatchObject([
      { code: "THAW_PROCESSES_NOT_ALL_CAME", details: { missing: [1, 2] } },
      {
        code: "THAW_PROCESSES_NOT_ALL_CAME",
        message: expect.stringContaining("does not know this run's token") as string,
      },
    ]);
    expect(["refused", "closed"]).toContain(await stranger);
    await expect(connectProcesses({ rank: 0, size: 2, address: "127.0.0.1" })).rejects.toMatchObject({
      code: "THAW_PROCESSES_PLACE_INCOMPLETE",
      details: { missing: ["MASTER_PORT", "THAW_TOKEN"] },
    });
  });
});

describe("engines of other libraries", () => {
  it("are refused where the library is not there, and where processes were told no place to meet", async () => {
    await expect(openLibrary("mpi", ["libthaw-none.so.1", "libthaw-none.so"], "Get it.")).rejects.toMatchObject({
      code: "THAW_PROCESSES_LIBRARY_MISSING",
      details: { engine: "mpi", tried: ["libthaw-none.so.1", "libthaw-none.so"] },
    });
    await expect(connectProcesses({ rank: 1, size: 2 })).rejects.toMatchObject({
      details: { missing: ["MASTER_ADDR", "MASTER_PORT", "THAW_TOKEN"] },
    });
  });

  it("are asked again until they are done, while other work goes on, and left once others are lost", async () => {
    let asked = 0;
    await polled(() => ++asked === 3, new AbortController().signal);
    expect(asked).toBe(3);
    await expect(polled(() => false, AbortSignal.abort(new Error("lost")))).rejects.toThrow("lost");
  });
});
