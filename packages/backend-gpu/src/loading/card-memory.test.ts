import { describe, expect, it } from "vitest";
import type { RunCommand } from "../install/command.js";
import { freeCardBytes } from "./card-memory.js";

describe("free bytes of a card", () => {
  const asked: string[] = [];
  const answering =
    (stdout: string, exitCode: number | null = 0): RunCommand =>
    async (_command, [card]) => {
      asked.push(card!);
      return { exitCode, stdout, stderr: "" };
    };

  it("are what the driver says of the first one that the process sees", async () => {
    expect(await freeCardBytes(undefined, answering("81559\n"))).toBe(81559 * 2 ** 20);
    expect(await freeCardBytes("3,1", answering("12\n"))).toBe(12 * 2 ** 20);
    expect(await freeCardBytes("GPU-5a", answering("12\n"))).toBe(12 * 2 ** 20);
    expect(await freeCardBytes("", answering("12\n"))).toBe(12 * 2 ** 20);
    expect(asked).toEqual(["--id=0", "--id=3", "--id=GPU-5a", "--id=0"]);
  });

  it.each([
    ["there is no such program", "", null],
    ["it fails", "No devices were found", 6],
    ["it does not know", "[N/A]\n", 0],
  ] as const)("are unknown where %s", async (_name, stdout, exitCode) => {
    expect(await freeCardBytes(undefined, answering(stdout, exitCode))).toBeUndefined();
  });
});
