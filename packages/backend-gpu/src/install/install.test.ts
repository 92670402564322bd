import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CommandResult, RunCommand } from "./command.js";
import type { InstalledManifest } from "../locate.js";
import { findCuda, linkCuda } from "./cuda.js";
import { installBackend, type InstallOptions, uninstallBackend } from "./install.js";
import { NPM_PACKAGES, WHEEL_HEADERS, WHEELS } from "./recipe.js";
import { findXlaTools, hasXlaTools, linkXlaTools } from "./xla.js";
import { integrity, makeTarball, makeZip, sha256 } from "./test-files.js";

let root: string;
let calls: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thaw-install-"));
  calls = [];
});
afterEach(() => rmSync(root, { recursive: true }));

const wheelBytes = makeZip({
  "tensorflow/libtensorflow_cc.so.2": Buffer.from("cc"),
  "tensorflow/libtensorflow_framework.so.2": Buffer.from("framework"),
  "tensorflow/python/unneeded.so": Buffer.from("large"),
  ...Object.fromEntries(WHEEL_HEADERS.map((name) => [`tensorflow/include/${name}`, Buffer.from("header")])),
});
const tarballs: Record<string, Buffer> = {
  "tensorflow-tfjs-node-4.22.0.tgz": makeTarball({
    "package.json": "{}",
    "binding/tfjs_backend.cc": "cc",
    "dist/nodejs_kernel_backend.js": "js",
    "dist/a_test.js": "no",
    "dist/proto/api_pb.js": "big",
  }),
  "node-api-headers-1.9.0.tgz": makeTarball({ "include/node_api.h": "h", "index.js": "no" }),
};
const recipe = { ...WHEELS.native, bytes: wheelBytes.length, sha256: sha256(wheelBytes) };
const ok = (stdout = ""): CommandResult => ({ exitCode: 0, stdout, stderr: "" });
const absent: CommandResult = { exitCode: null, stdout: "", stderr: "ENOENT" };

/** A machine on which everything works, but for what is overridden by the start of the command line. */
function machine(overrides: Readonly<Record<string, CommandResult>> = {}): RunCommand {
  return async (command, parameters, options) => {
    const line = [command === process.execPath ? "node" : command, ...parameters].join(" ");
    calls.push(line);
    const override = Object.entries(overrides).find(([start]) => line.startsWith(start));
    if (override !== undefined) return override[1];
    if (line.endsWith("--version")) return command === "g++" ? ok("g++ 12") : absent;
    if (command === "npm") {
      const name = line.includes("tfjs-node") ? "tensorflow-tfjs-node-4.22.0.tgz" : "node-api-headers-1.9.0.tgz";
      writeFileSync(join(parameters[3] as string, name), tarballs[name] as Buffer);
      return ok();
    }
    if (command === "g++") {
      writeFileSync(join(options?.cwd as string, parameters.at(-1) as string), "compiled");
      return ok();
    }
    if (line.startsWith("node -e")) return ok('{"version":"2.21.0","gpu":false}\n');
    return absent;
  };
}

function options(overrides: Partial<InstallOptions> = {}): InstallOptions {
  const wheel = join(root, "given.whl");
  writeFileSync(wheel, wheelBytes);
  return {
    backend: "native",
    cacheFolder: join(root, "cache"),
    wheel,
    platform: "linux-x64",
    run: machine(),
    wheels: { ...WHEELS, native: recipe, gpu: recipe },
    packages: {
      addon: { ...NPM_PACKAGES.addon, integrity: integrity(tarballs["tensorflow-tfjs-node-4.22.0.tgz"] as Buffer) },
      headers: { ...NPM_PACKAGES.headers, integrity: integrity(tarballs["node-api-headers-1.9.0.tgz"] as Buffer) },
    },
    ...overrides,
  };
}
const folder = () => join(root, "cache", "backends", "native");

test("unpacks what is needed, compiles, tries and says so last", async () => {
  const stages = new Set<string>();
  const result = await installBackend(options({ onProgress: ({ stage }) => stages.add(stage) }));
  expect(result).toMatchObject({
    folder: folder(),
    outcome: "installed",
    manifest: { format: 1, tensorflow: "2.21.0", platform: "linux-x64" },
  });
  expect([...stages]).toEqual(["unpack", "sources", "compile"]);
  expect(readFileSync(join(folder(), "lib/libtensorflow_cc.so.2"), "utf8")).toBe("cc");
  expect(readlinkSync(join(folder(), "lib/libtensorflow_cc.so"))).toBe("libtensorflow_cc.so.2");
  expect(readFileSync(join(folder(), "package/dist/proto/api_pb.js"), "utf8")).toBe("module.exports = {};\n");
  for (const there of [
    "include/node_api.h",
    "include/tensorflow/c/c_api.h",
    "addon/tfjs_binding.node",
    "addon/thaw_controls.node",
    "addon/thaw_functions.node",
    "addon/thaw_kernels.node",
    "node_modules/@tensorflow/tfjs/index.js",
    "manifest.json",
  ]) {
    expect(existsSync(join(folder(), there)), there).toBe(true);
  }
  for (const gone of ["package/dist/a_test.js", "download", "addon/tfjs_binding.node.part"])
    expect(existsSync(join(folder(), gone)), gone).toBe(false);
});

test("compiles again what another version of Thaw had compiled, and fetches nothing", async () => {
  await installBackend(options());
  const file = join(folder(), "manifest.json");
  const { sources, ...older } = JSON.parse(readFileSync(file, "utf8")) as InstalledManifest;
  for (const manifest of [older, { ...older, sources: "another" }]) {
    writeFileSync(file, JSON.stringify(manifest));
    writeFileSync(join(folder(), "addon", "thaw_kernels.node"), "old");
    calls = [];
    const stages = new Set<string>();
    expect(await installBackend(options({ onProgress: ({ stage }) => stages.add(stage) }))).toMatchObject({
      outcome: "renewed",
      manifest: { sources },
    });
    expect([...stages]).toEqual(["compile"]);
    expect(calls.some((line) => line.startsWith("npm"))).toBe(false);
    expect(readFileSync(join(folder(), "addon", "thaw_kernels.node"), "utf8")).toBe("compiled");
    expect(await installBackend(options())).toMatchObject({ outcome: "there" });
  }
});

test("leaves an older installation as it is where the compiler fails", async () => {
  await installBackend(options());
  const file = join(folder(), "manifest.json");
  const before = readFileSync(file, "utf8").replace(/"sources": "[0-9a-f]+"/, '"sources": "another"');
  writeFileSync(file, before);
  await expect(
    installBackend(options({ run: machine({ "g++ -O": { exitCode: 1, stdout: "", stderr: "error: no" } }) })),
  ).rejects.toMatchObject({ code: "THAW_INSTALL_COMPILE_FAILED" });
  expect(readFileSync(file, "utf8")).toBe(before);
});

test("does nothing the second time, and removes all on demand", async () => {
  await installBackend(options());
  calls = [];
  expect(await installBackend(options())).toMatchObject({ outcome: "there" });
  expect(calls).toEqual([]);
  expect(await uninstallBackend("native", join(root, "cache"))).toBe(true);
  expect(existsSync(folder())).toBe(false);
  expect(await uninstallBackend("native", join(root, "cache"))).toBe(false);
});

test("goes on after a failure, keeping what was fetched", async () => {
  const failing = installBackend(
    options({
      run: machine({ "g++ -O2": { exitCode: 1, stdout: "", stderr: "a.cc:1: fatal error: no header\nmore" } }),
    }),
  );
  await expect(failing).rejects.toMatchObject({ code: "THAW_INSTALL_COMPILE_FAILED" });
  await expect(failing).rejects.toThrow(/a\.cc:1: fatal error: no header/);
  expect(existsSync(join(folder(), "manifest.json"))).toBe(false);
  calls = [];
  expect((await installBackend(options())).outcome).toBe("installed");
  expect(calls.filter((line) => line.startsWith("npm"))).toEqual([]);
});

test("asks pip where the wheel is and downloads it with its checksum", async () => {
  const report = JSON.stringify({ install: [{ download_info: { url: "https://index.example/w.whl" } }] });
  const asked: string[] = [];
  const fetchIt = ((url: string) => {
    asked.push(url);
    return Promise.resolve(new Response(new Uint8Array(wheelBytes)));
  }) as unknown as typeof fetch;
  await installBackend(
    options({ wheel: undefined, fetch: fetchIt, run: machine({ "python3 -m pip install": ok(report) }) }),
  );
  expect(asked).toEqual(["https://index.example/w.whl"]);
  expect(calls.find((line) => line.startsWith("python3"))).toContain(
    "--platform manylinux_2_27_x86_64 --python-version 3.11 --implementation cp tensorflow-cpu==2.21.0",
  );
});

test.each([
  [
    "another platform",
    { platform: "darwin-arm64" },
    {},
    "THAW_INSTALL_PLATFORM",
    /on darwin-arm64, and it installs on linux-x64 only/,
  ],
  ["no compiler", {}, { "g++": absent }, "THAW_INSTALL_NO_COMPILER", /none of g\+\+, c\+\+, clang\+\+ runs/],
  ["no Python", { wheel: undefined }, {}, "THAW_INSTALL_NO_PYTHON", /--wheel <file>/],
  [
    "no network for pip",
    { wheel: undefined },
    { python3: { exitCode: 1, stdout: "", stderr: "WARNING: retry\nERROR: No matching distribution found." } },
    "THAW_INSTALL_WHEEL_UNREACHABLE",
    /pip says: No matching distribution found\./,
  ],
  [
    "no network for npm",
    {},
    { npm: { exitCode: 1, stdout: "", stderr: "npm error network" } },
    "THAW_INSTALL_PACKAGE_UNREACHABLE",
    /npm says: npm error network/,
  ],
  [
    "a library that does not load",
    {},
    { "node -e": { exitCode: 127, stdout: "", stderr: "cannot open shared object" } },
    "THAW_INSTALL_DOES_NOT_START",
    /cannot open shared object/,
  ],
  ["a GPU without a driver", { backend: "gpu" as const }, {}, "THAW_INSTALL_NO_CUDA", /NVIDIA's driver/],
])("names the cause: %s", async (_, changes, overrides, code, message) => {
  const failing = installBackend(options({ ...changes, run: machine(overrides as Record<string, CommandResult>) }));
  await expect(failing).rejects.toMatchObject({ code });
  await expect(failing).rejects.toThrow(message);
  expect(existsSync(join(folder(), "manifest.json"))).toBe(false);
});

test("refuses a wheel that is not the tested one, and a folder that is none", async () => {
  const other = join(root, "other.whl");
  writeFileSync(other, "not a wheel");
  await expect(installBackend(options({ wheel: other }))).rejects.toMatchObject({ code: "THAW_INSTALL_WHEEL_BROKEN" });
  await expect(installBackend(options({ wheel: join(root, "absent.whl") }))).rejects.toMatchObject({
    code: "THAW_INSTALL_WHEEL_BROKEN",
  });
});

test("finds CUDA 13 for a CUDA 12 build and lays links where the library looks", async () => {
  const libraries = join(root, "nvidia", "cu13", "lib");
  mkdirSync(libraries, { recursive: true });
  for (const name of [
    "libcudart.so.12",
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcufft.so.12",
    "libcusolver.so.12",
    "libcusparse.so.12",
    "libcudnn.so.9",
    "libcudnn_ops.so.9",
    "libother.so",
  ])
    writeFileSync(join(libraries, name), name);
  const run: RunCommand = async (command) =>
    command === "ldconfig" ? ok("\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/libcuda.so.1\n") : absent;
  const search = await findCuda(run, [libraries]);
  expect(search).toMatchObject({ driver: "/usr/lib/libcuda.so.1", missing: [] });
  await linkCuda(join(root, "gpu"), search);
  expect(readFileSync(join(root, "gpu/nvidia/cublas/lib/libcublas.so.12"), "utf8")).toBe("libcublas.so.13");
  expect(readFileSync(join(root, "gpu/nvidia/cudnn/lib/libcudnn_ops.so.9"), "utf8")).toBe("libcudnn_ops.so.9");
  expect(lstatSync(join(root, "gpu/nvidia/cublas/lib")).isSymbolicLink()).toBe(true);
  expect(existsSync(join(root, "gpu/cuda/libother.so"))).toBe(false);

  rmSync(join(libraries, "libcudnn.so.9"));
  const less = await findCuda(run, [libraries]);
  expect(less.missing).toEqual(["libcudnn.so.9"]);
  await expect(linkCuda(join(root, "gpu"), less)).rejects.toMatchObject({
    code: "THAW_INSTALL_NO_CUDA",
    details: { missing: ["libcudnn.so.9"] },
  });
});

test("links what XLA needs from Python's packages, where it is there", async () => {
  const triton = join(root, "triton", "backends", "nvidia");
  for (const file of ["lib/libdevice.10.bc", "bin/ptxas"]) {
    mkdirSync(join(triton, file, ".."), { recursive: true });
    writeFileSync(join(triton, file), file);
  }
  const python: RunCommand = async (command) => (command === "python3" ? ok(`${triton}\n`) : absent);
  await linkXlaTools(join(root, "gpu"), await findXlaTools(python));
  expect(readFileSync(join(root, "gpu/xla/nvvm/libdevice/libdevice.10.bc"), "utf8")).toBe("lib/libdevice.10.bc");
  expect(hasXlaTools(join(root, "gpu"))).toBe(true);
  await linkXlaTools(join(root, "gpu"), new Map([["bin/ptxas", join(triton, "bin/ptxas")]]));
  expect(hasXlaTools(join(root, "gpu"))).toBe(false);
});
