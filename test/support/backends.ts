import { backendEntry, defaultCacheFolder, locate, type BackendName } from "@thaw/backend-gpu";

/** Backends that one test runs on: those that are always there, and native TensorFlow where this machine has it. */
export const USABLE_BACKENDS: readonly Exclude<BackendName, "auto">[] = [
  "cpu",
  "wasm",
  ...(isHere("native") ? (["native"] as const) : []),
];

/** Whether the packages or the library of a backend are on this machine. */
export function isHere(name: "native" | "webgpu"): boolean {
  return locate(backendEntry(name), { projectFolder: process.cwd(), cacheFolder: defaultCacheFolder() }) !== undefined;
}
