import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const thaw = fileURLToPath(new URL("../../bin/thaw.js", import.meta.url));
const example = fileURLToPath(new URL("../../../../examples/emoji-captioner", import.meta.url));

describe("the process's terminal", () => {
  it("outlives a reader that leaves early", async () => {
    const script = `"${process.execPath}" "${thaw}" plan "${example}" --json | true; exit "\${PIPESTATUS[0]}"`;
    expect(await promisify(execFile)("bash", ["-c", script])).toEqual({ stdout: "", stderr: "" });
  });
});
