import { afterEach, describe, expect, it } from "vitest";
import { compileFunctions, type Functions, instantiateFunctions, type Memory, type Modules } from "./functions.js";
import { elementwiseNumbers } from "./elementwise-work.js";
import { type Product, productNumbers } from "./product-work.js";
import { startTeam } from "./team.js";
import type { Work } from "./work.js";

declare const WebAssembly: { Memory: new (limits: object) => Memory };

const memory = new WebAssembly.Memory({ initial: 512, maximum: 65536, shared: true });
const modules = compileFunctions(true) as Modules;
const functions = instantiateFunctions(modules, memory);
const numbers = new Float32Array(memory.buffer);
/** Addresses that leave room for each operand. */
const [A, B, OUT, PACKED] = [1 << 16, 1 << 23, 1 << 24, 3 << 23] as const;
numbers.forEach((_, index) => {
  if (index < OUT / 4) numbers[index] = Math.sin(index * 1.7);
});

/** 300 x 120 by 513 columns, twice: pieces of rows and columns that do not divide them. */
const PRODUCT: Product = {
  a: A,
  b: B,
  out: OUT,
  count: 2,
  rows: 300,
  inner: 120,
  columns: 513,
  aRow: 480,
  aInner: 4,
  bInner: 2052,
  bColumn: 4,
  packed: PACKED,
};
const TURNED: Product = { ...PRODUCT, bInner: 4, bColumn: 480 };
const ROWS = 1000;
const LENGTH = 307;
const BY_ELEMENTS = { a: A, b: B, out: OUT, rows: ROWS, length: LENGTH };
const SHAPES = { row: [0, 0], own: [4 * LENGTH, 0], single: [4, 1] } as const;

const WORKS: readonly (readonly [string, Work, number])[] = [
  ["tiles", { name: "tiles", numbers: productNumbers(PRODUCT) }, 2 * 300 * 513],
  ["tiles of a turned operand", { name: "tiles", numbers: productNumbers(TURNED) }, 2 * 300 * 513],
  ["dots", { name: "dots", numbers: productNumbers(TURNED) }, 2 * 300 * 513],
  ...(["Add", "Sub", "Multiply"] as const).flatMap((name) =>
    Object.entries(SHAPES).map(([shape, [bRow, isSingle]]): [string, Work, number] => [
      `${name} by ${shape}`,
      { name, numbers: elementwiseNumbers({ ...BY_ELEMENTS, bRow, isSingle }) },
      ROWS * LENGTH,
    ]),
  ),
];

afterEach(() => numbers.fill(0, OUT / 4));

describe("a team", () => {
  it("shares a product out, and waits for what its threads have taken", async () => {
    const own = { pieces: 0 };
    // The calling thread computes nothing and takes its time, so what is there others have computed
    const idle = Object.fromEntries(
      Object.keys(functions).map((name) => [
        name,
        () => {
          own.pieces += 1;
          sleep(5);
        },
      ]),
    ) as Functions;
    const team = startTeam(memory, modules, idle, 3);
    const work = WORKS[0]![1];
    const computed = (): number => numbers.subarray(OUT / 4, OUT / 4 + 2 * 300 * 513).filter((one) => one !== 0).length;
    for (let attempt = 0; attempt < 1000 && computed() === 0; attempt += 1) {
      team.compute(work);
      // Workers come up beside the event loop
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(own.pieces).toBeGreaterThan(0);
    expect(computed()).toBeGreaterThan(1000);
  });

  const teams = [1, 3].map((threads) => startTeam(memory, modules, functions, threads));

  it.each(WORKS)("computes %s to the bit as one thread does", (_, work, length) => {
    const [alone, together] = teams.map((team) => {
      numbers.fill(0, OUT / 4);
      team.compute(work);
      return Buffer.from(numbers.slice(OUT / 4, OUT / 4 + length).buffer);
    });
    expect(alone!.equals(together!)).toBe(true);
    expect(alone!.some((byte) => byte !== 0)).toBe(true);
  });

  it("computes by elements what float32 arithmetic says", () => {
    const team = startTeam(memory, modules, functions, 2);
    const operations = {
      Add: (x: number, y: number) => x + y,
      Sub: (x: number, y: number) => x - y,
      Multiply: (x: number, y: number) => x * y,
    };
    for (const [name, operation] of Object.entries(operations) as [
      keyof typeof operations,
      (x: number, y: number) => number,
    ][])
      for (const [bRow, isSingle] of Object.values(SHAPES)) {
        team.compute({ name, numbers: elementwiseNumbers({ ...BY_ELEMENTS, bRow, isSingle }) });
        const expected = Float32Array.from({ length: ROWS * LENGTH }, (_, at) => {
          const b = B / 4 + (Math.floor(at / LENGTH) * bRow) / 4 + (isSingle === 1 ? 0 : at % LENGTH);
          return operation(numbers[A / 4 + at]!, numbers[b]!);
        });
        expect(
          Buffer.from(numbers.slice(OUT / 4, OUT / 4 + ROWS * LENGTH).buffer).equals(Buffer.from(expected.buffer)),
        ).toBe(true);
      }
  });

  it("computes alone what a thread could not", () => {
    let calls = 0;
    const once: Functions = {
      ...functions,
      tiles(...given) {
        calls += 1;
        if (calls === 1) throw new Error("out of memory");
        functions.tiles(...given);
      },
    };
    startTeam(memory, modules, once, 2).compute(WORKS[0]![1]);
    const result = Buffer.from(numbers.slice(OUT / 4, OUT / 4 + 2 * 300 * 513).buffer);
    teams[0]!.compute(WORKS[0]![1]);
    expect(result.equals(Buffer.from(numbers.slice(OUT / 4, OUT / 4 + 2 * 300 * 513).buffer))).toBe(true);
  });
});

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
