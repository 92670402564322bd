import type { Command } from "@thaw/core";
import { BACKEND_NAMES } from "../options.js";
import type { BackendBenchOptions } from "./bench.js";
import type { BackendInstallOptions } from "./install.js";

const backend: Command = {
  name: "backend",
  summary: "get, remove and measure TensorFlow's library",
  help: `
The library comes from PyPI through pip's configured index, with a pinned checksum; a C++ compiler builds a small
addon. Everything goes to the user's cache folder. Stopped in the middle, the same command goes on from there.

Examples:
  thaw backend install                         TensorFlow on the processor
  thaw backend install --cuda                  TensorFlow on an NVIDIA GPU
  thaw backend install --uninstall
  thaw backend bench --backend native`,
};

const CACHE = { flags: "--cache <folder>", summary: "instead of the user's cache folder" };

const install: Command<BackendInstallOptions> = {
  name: "backend install",
  summary: "make the native backend, or with --cuda the one for NVIDIA GPUs",
  options: [
    { flags: "--cuda", summary: "the build for NVIDIA GPUs" },
    { flags: "--uninstall", summary: "remove it" },
    { flags: "--wheel <file>", summary: "a wheel that you fetched, where there is no network" },
    { flags: "--compiler <command>", summary: "instead of g++, c++ or clang++" },
    { flags: "--cuda-libraries <folder...>", summary: "more folders in which CUDA's libraries are looked for" },
    CACHE,
    { flags: "--quiet", summary: "no progress bar" },
  ],
  load: async () => (await import("./install.js")).install,
};

const bench: Command<BackendBenchOptions> = {
  name: "backend bench",
  summary: "measure a backend: matrix products, cost of an operation, uploads",
  options: [
    { flags: "--backend <name>", summary: "what is measured", choices: ["auto", ...BACKEND_NAMES] },
    { flags: "--tensor-float-32", summary: "on GPUs: products with 10 bits of mantissa" },
    CACHE,
    { flags: "--json", summary: "as one JSON object on standard output" },
  ],
  load: async () => (await import("./bench.js")).bench,
};

const doctor: Command<{ readonly json?: boolean }> = {
  name: "doctor",
  summary: "say which backends are here, which one would run, and what would be faster",
  options: [{ flags: "--json", summary: "as one JSON object on standard output" }],
  load: async () => (await import("./doctor.js")).doctor,
};

/** The commands of `thaw` that are about backends. */
export const COMMANDS: readonly Command[] = [backend, install, bench, doctor];
