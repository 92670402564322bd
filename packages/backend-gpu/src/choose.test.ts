import type { Backend } from "@thaw/core";
import { expect, test } from "vitest";
import { type BackendLoader, chooseBackend, listCandidates } from "./choose.js";
import type { Location } from "./locate.js";
import type { BackendName } from "./options.js";

const options = {
  name: "auto",
  tensorFloat32: false,
  kernels: true,
  projectFolder: "/project",
  cacheFolder: "/cache",
} as const;
const here: Location = { kind: "packages", folders: { some: "/project/node_modules/some" } };

/** A machine that has `present`, of which `broken` fail to start. */
function machine(
  present: readonly BackendName[],
  broken: readonly BackendName[] = [],
): BackendLoader & { readonly tried: string[] } {
  const tried: string[] = [];
  return {
    tried,
    locate: (entry) => (present.includes(entry.name) ? here : undefined),
    load: async (entry): Promise<Backend> => {
      tried.push(entry.name);
      if (broken.includes(entry.name)) throw new Error(`${entry.name} has no device.`);
      return { name: entry.engineName, description: entry.name, matmul: entry.capabilities.matmul };
    },
  };
}

test("takes the fastest backend that is there", async () => {
  expect((await chooseBackend(options, machine(["gpu", "native", "wasm", "cpu"]))).backend.description).toBe("gpu");
  expect((await chooseBackend(options, machine(["native", "wasm", "cpu"]))).backend.description).toBe("native");
  expect((await chooseBackend(options, machine(["cpu", "wasm"]))).backend).toEqual({
    name: "wasm",
    description: "wasm",
    matmul: "plain2d",
  });
});

test("falls back in one line where a faster backend does not start", async () => {
  const loader = machine(["gpu", "native", "wasm"], ["gpu", "native"]);
  const choice = await chooseBackend(options, loader);
  expect(choice.backend.description).toBe("wasm");
  expect(loader.tried).toEqual(["gpu", "native", "wasm"]);
  expect(choice.fallbacks).toEqual([
    "Running on wasm instead of gpu: gpu has no device.",
    "Running on wasm instead of native: native has no device.",
  ]);
});

test("loads the named backend alone", async () => {
  const loader = machine(["gpu", "native", "wasm", "cpu"]);
  expect((await chooseBackend({ ...options, name: "cpu" }, loader)).fallbacks).toEqual([]);
  expect(loader.tried).toEqual(["cpu"]);
});

test("names the command where the named backend is missing", async () => {
  const missing = chooseBackend({ ...options, name: "native" }, machine(["wasm"]));
  await expect(missing).rejects.toMatchObject({
    code: "THAW_BACKEND_MISSING",
    details: { backend: "native", command: "thaw backend install" },
  });
  await expect(missing).rejects.toThrow(
    new RegExp(
      String.raw`nothing is installed in /cache/backends/native, and the npm package "@tensorflow/tfj` +
        String.raw`s-node" could not be resolved from /project`,
    ),
  );
});

test("does not fall back from the named backend", async () => {
  const failing = chooseBackend({ ...options, name: "gpu" }, machine(["gpu", "wasm"], ["gpu"]));
  await expect(failing).rejects.toMatchObject({
    code: "THAW_BACKEND_LOAD_FAILED",
    details: { reason: "gpu has no device", command: "thaw backend install --cuda" },
  });
});

test("says what to install where nothing is there, and passes on the last error where nothing starts", async () => {
  await expect(chooseBackend(options, machine([]))).rejects.toMatchObject({ code: "THAW_BACKEND_MISSING" });
  await expect(chooseBackend(options, machine(["wasm", "cpu"], ["wasm", "cpu"]))).rejects.toThrow(/"cpu" was found/);
});

test("lists every backend in order", () => {
  expect(listCandidates(machine(["wasm"])).map(({ entry, location }) => [entry.name, location !== undefined])).toEqual([
    ["gpu", false],
    ["webgpu", false],
    ["native", false],
    ["wasm", true],
    ["cpu", false],
  ]);
});
