import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { runCommand } from "./install/command.js";
import { findCompiler } from "./install/compile.js";
import { NATIVE_KERNELS } from "./kernels.js";

const native = fileURLToPath(new URL("../native/", import.meta.url));

it("declares every kernel as the library does", () => {
  const source = readFileSync(join(native, "kernels/operations.cc"), "utf8");
  for (const [name, { inputs, attributes, outputCount }] of Object.entries(NATIVE_KERNELS)) {
    const [given, outputs, declared] = [
      ...source.matchAll(new RegExp(`\\{"${name}", \\{(.*?)\\}, \\{(.*?)\\}, \\{(.*?)\\}, `, "g")),
    ][0]!
      .slice(1)
      .map((list) => [...list.matchAll(/"(\w+): (\w+)"/g)]);
    expect(given!.map(([, input]) => input)).toEqual(inputs);
    expect(Object.fromEntries(declared!.map(([, key, kind]) => [key, kind]))).toEqual(attributes);
    expect(outputs).toHaveLength(outputCount);
  }
  expect(source.match(/\{"Thaw\w+", /g)).toHaveLength(Object.keys(NATIVE_KERNELS).length);
});

it("computes in every instruction set what the formulas say", async () => {
  const folder = await mkdtemp(join(tmpdir(), "thaw-kernels-"));
  try {
    const compiler = await findCompiler(runCommand).catch(() => undefined);
    if (compiler === undefined) return; // then the kernels cannot be installed either
    const program = join(folder, "check");
    const compiled = await runCommand(compiler, [
      "-O1",
      "-ffp-contract=fast",
      "-pthread",
      "-std=c++17",
      join(native, "check_kernels.cc"),
      "-o",
      program,
    ]);
    expect(compiled.exitCode, compiled.stderr).toBe(0);
    const { stdout } = await runCommand(program, []);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ") as [string, string, string]);
    const sets = new Set(lines.map(([set]) => set));
    expect([...sets]).toEqual(expect.arrayContaining(["baseline", "wide"]));
    expect(lines.filter(([, , error]) => !(Number(error) < 5e-6))).toEqual([]);
    expect(lines).toHaveLength(54 * sets.size);
  } finally {
    await rm(folder, { recursive: true });
  }
});
