import * as tf from "@tensorflow/tfjs-core";
import { chooseBackend } from "../choose.js";
import { resolveBackendOptions } from "../options.js";
import { beforeAll, describe, expect, it } from "vitest";

const FOLDERS = { projectFolder: process.cwd(), cacheFolder: "/nowhere" };

describe("the WASM backend on several threads", () => {
  let description: string;
  const handlers = () =>
    ["uncaughtException", "unhandledRejection"].map((event) => process.listeners(event as "uncaughtException"));
  let before: ReturnType<typeof handlers>;
  beforeAll(async () => {
    before = handlers();
    const { backend } = await chooseBackend(resolveBackendOptions({ name: "wasm", threads: 2 }, FOLDERS));
    description = backend.description;
  });

  it("says so, on a memory that threads share", () => {
    const { wasm } = tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } };
    expect(description).toBe("wasm: WebAssembly, 2 threads");
    expect(wasm.HEAPU8.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it("leaves errors that nobody caught to those who handled them before", () => {
    expect(handlers()).toEqual(before);
  });

  it("leaves Node's workers as they were", async () => {
    const { Worker } = await import("node:worker_threads");
    expect("Worker" in globalThis).toBe(false);
    expect(new Worker("", { eval: true }).threadId).toBeGreaterThan(0);
  });

  it("reads what it has written, also after its memory has grown", async () => {
    const tensors = Array.from({ length: 8 }, (_, index) => tf.fill([1 << 20], index));
    for (const [index, tensor] of tensors.entries()) {
      expect((await tensor.data())[(1 << 20) - 1]).toBe(index);
      tensor.dispose();
    }
  });

  it("keeps its threads for another load, whatever that asks for", async () => {
    const { backend } = await chooseBackend(resolveBackendOptions({ name: "wasm", threads: 1 }, FOLDERS));
    expect(backend.description).toBe("wasm: WebAssembly, 2 threads");
  });
});
