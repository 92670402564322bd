import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { defaultCacheFolder, installedFolder, locate } from "./locate.js";
import { backendEntry } from "./table.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thaw-locate-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, content: object): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), JSON.stringify(content));
}
const search = () => ({ projectFolder: join(root, "project"), cacheFolder: join(root, "cache") });
const manifest = { format: 1, tensorflow: "2.21.0", addon: "4.22.0", platform: "linux-x64" };

test("finds an installed library by its manifest, before the npm package", () => {
  write("project/node_modules/@tensorflow/tfjs-node/package.json", { name: "@tensorflow/tfjs-node" });
  write("cache/backends/native/manifest.json", manifest);
  expect(locate(backendEntry("native"), search())).toEqual({
    kind: "installed",
    folder: installedFolder(backendEntry("native"), join(root, "cache")),
    manifest,
  });
});

test("takes a half-finished installation for none", () => {
  write("cache/backends/native/lib/libtensorflow_cc.so.2", {});
  expect(locate(backendEntry("native"), search())).toBeUndefined();
  write("cache/backends/native/manifest.json", { format: 2 });
  expect(locate(backendEntry("native"), search())).toBeUndefined();
  writeFileSync(join(root, "cache/backends/native/manifest.json"), "{");
  expect(locate(backendEntry("native"), search())).toBeUndefined();
});

test("finds the project's npm package", () => {
  write("project/node_modules/@tensorflow/tfjs-node-gpu/package.json", { name: "@tensorflow/tfjs-node-gpu" });
  const folder = join(root, "project/node_modules/@tensorflow/tfjs-node-gpu");
  expect(locate(backendEntry("gpu"), search())).toEqual({
    kind: "packages",
    folders: { "@tensorflow/tfjs-node-gpu": folder },
  });
});

test("needs all packages of a backend", () => {
  write("project/node_modules/webgpu/package.json", { name: "webgpu" });
  expect(locate(backendEntry("webgpu"), search())).toBeUndefined();
});

test("finds wasm and cpu beside Thaw where the project has none", () => {
  expect(locate(backendEntry("wasm"), search())?.kind).toBe("packages");
  expect(locate(backendEntry("cpu"), search())?.kind).toBe("packages");
});

test("keeps installations in the user's cache", () => {
  expect(defaultCacheFolder("linux", "/home/u")).toBe(join("/home/u", ".cache", "thaw"));
  expect(defaultCacheFolder("darwin", "/Users/u")).toBe(join("/Users/u", "Library", "Caches", "thaw"));
  expect(defaultCacheFolder("win32", "/u")).toBe(join("/u", "AppData", "Local", "thaw"));
});
