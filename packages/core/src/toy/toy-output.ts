import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { useToyTensors } from "./toy-tensors.js";

/** Runs a file's tests on the CPU, each with an output folder of its own, and sees that no tensor is left. */
export function useToyOutput(onFolder: (folder: string) => void): void {
  let output = "";
  useToyTensors();
  beforeEach(async () => {
    output = await mkdtemp(join(tmpdir(), "thaw-core-"));
    onFolder(output);
  });
  afterEach(async () => {
    await rm(output, { recursive: true, force: true });
  });
}
