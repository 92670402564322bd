import { causeText, ThawError } from "@thaw/core";

/** Codes of this package's errors; never reused. */
export const BACKEND_ERROR_CODES = [
  "THAW_BACKEND_MISSING",
  "THAW_BACKEND_LOAD_FAILED",
  "THAW_BACKEND_ALREADY_LOADED",
  "THAW_BACKEND_READS_LATER",
  "THAW_INSTALL_PLATFORM",
  "THAW_INSTALL_NO_COMPILER",
  "THAW_INSTALL_NO_PYTHON",
  "THAW_INSTALL_WHEEL_UNREACHABLE",
  "THAW_INSTALL_WHEEL_BROKEN",
  "THAW_INSTALL_PACKAGE_UNREACHABLE",
  "THAW_INSTALL_COMPILE_FAILED",
  "THAW_INSTALL_NO_CUDA",
  "THAW_INSTALL_DOES_NOT_START",
  "THAW_INSTALL_DISK",
] as const;

/** The backend that the user named is not on this machine. */
export function backendMissing(facts: {
  readonly backend: string;
  readonly lookedFor: string;
  readonly command: string;
}): ThawError {
  return new ThawError(
    "THAW_BACKEND_MISSING",
    `The backend "${facts.backend}" was asked for, and it is not there: ${facts.lookedFor}. In the config it is ` +
      `the key \`backend\`. Get it with \`${facts.command}\`, or write \`backend: auto\` to take the fastest that ` +
      "is there.",
    { details: facts },
  );
}

/** The backend is there and does not start. */
export function backendLoadFailed(
  facts: { readonly backend: string; readonly where: string; readonly command: string },
  cause: unknown,
): ThawError {
  const reason = causeText(cause);
  const other = { wasm: "cpu", cpu: "wasm" }[facts.backend] ?? "wasm";
  return new ThawError(
    "THAW_BACKEND_LOAD_FAILED",
    `The backend "${facts.backend}" was found at ${facts.where} and does not start: ${reason}. Repair it with ` +
      `\`${facts.command}\`, or write \`backend: ${other}\` to go on without it.`,
    { details: { ...facts, reason }, cause },
  );
}

/** TensorFlow's library lives once in a process, so two builds of it cannot. */
export function backendAlreadyLoaded(facts: { readonly backend: string; readonly loaded: string }): ThawError {
  return new ThawError(
    "THAW_BACKEND_ALREADY_LOADED",
    `The backend "${facts.backend}" was asked for in a process that already runs "${facts.loaded}". Both are ` +
      "TensorFlow's library, which a process can load once. Start a new process for the other.",
    { details: facts },
  );
}

/** WebGPU in Node gives values to whoever waits for them, and something wants them at once. */
export function readsLater(cause: unknown): ThawError {
  return new ThawError(
    "THAW_BACKEND_READS_LATER",
    "WebGPU in Node cannot read values in the middle of a computation, which a router with experts, a visual " +
      "vocabulary and frozen weights in 8 or 4 bits need. In the config it is the key `backend`. Write another, such " +
      "as native or wasm; where it is training.frozen_precision that asks, leave that out.",
    { cause },
  );
}

/** TensorFlow's wheels that carry the C++ library are for another system. */
export function platformUnsupported(facts: { readonly platform: string; readonly supported: string }): ThawError {
  return new ThawError(
    "THAW_INSTALL_PLATFORM",
    `\`thaw backend install\` was called on ${facts.platform}, and it installs on ${facts.supported} only. Thaw ` +
      "runs here on WebAssembly (`backend: wasm`), or on a `@tensorflow/tfjs-node` of your own.",
    { details: facts },
  );
}

/** No C++ compiler. */
export function compilerMissing(facts: { readonly tried: readonly string[] }): ThawError {
  return new ThawError(
    "THAW_INSTALL_NO_COMPILER",
    `\`thaw backend install\` compiles a small addon, and none of ${facts.tried.join(", ")} runs. Install a ` +
      "C++17 compiler (on Debian and Ubuntu: `apt-get install g++`) and call it again; what was fetched is kept.",
    { details: facts },
  );
}

/** No Python with pip to ask where the wheel is. */
export function pythonMissing(facts: { readonly file: string; readonly tried: readonly string[] }): ThawError {
  return new ThawError(
    "THAW_INSTALL_NO_PYTHON",
    `\`thaw backend install\` asks pip where ${facts.file} is, and none of ${facts.tried.join(", ")} has pip ` +
      "22.2 or newer. Install Python with pip, or fetch that file yourself and call `thaw backend install --wheel " +
      "<file>`.",
    { details: facts },
  );
}

/** pip or the download failed. */
export function wheelUnreachable(
  facts: { readonly file: string; readonly reason: string },
  cause?: unknown,
): ThawError {
  return new ThawError(
    "THAW_INSTALL_WHEEL_UNREACHABLE",
    `\`thaw backend install\` could not fetch ${facts.file}: ${facts.reason}. Check the network and pip's index, ` +
      "and call it again: it goes on where it stopped. Without a network: `thaw backend install --wheel <file>`.",
    { details: facts, cause },
  );
}

/** The wheel is not the one that was tested. */
export function wheelBroken(facts: { readonly file: string; readonly reason: string }): ThawError {
  return new ThawError(
    "THAW_INSTALL_WHEEL_BROKEN",
    `The wheel ${facts.file} is not usable: ${facts.reason}. Delete it and call \`thaw backend install\` again.`,
    { details: facts },
  );
}

/** The npm package whose sources are compiled. */
export function packageUnreachable(facts: { readonly package: string; readonly reason: string }): ThawError {
  return new ThawError(
    "THAW_INSTALL_PACKAGE_UNREACHABLE",
    `\`thaw backend install\` could not get the npm package ${facts.package}: ${facts.reason}. Check that \`npm ` +
      `pack ${facts.package}\` works and call it again; what was fetched is kept.`,
    { details: facts },
  );
}

/** g++ said no. */
export function compileFailed(facts: { readonly command: string; readonly output: string }): ThawError {
  return new ThawError(
    "THAW_INSTALL_COMPILE_FAILED",
    `The addon did not compile with \`${facts.command}\`: ${facts.output}. A C++17 compiler of 2020 or newer is ` +
      "needed.",
    { details: facts },
  );
}

/** The GPU build has no driver or lacks libraries. */
export function cudaMissing(facts: {
  readonly missing: readonly string[];
  readonly searched: readonly string[];
}): ThawError {
  return new ThawError(
    "THAW_INSTALL_NO_CUDA",
    `\`thaw backend install --cuda\` needs ${facts.missing.join(", ")}, and ` +
      `${facts.searched.length > 0 ? `it is not in ${facts.searched.join(", ")}` : "no CUDA libraries were found"}. ` +
      `Install NVIDIA's driver and the CUDA 12 or 13 libraries (\`pip install "tensorflow[and-cuda]==2.21.0"\` ` +
      "brings the libraries), name their folder with `--cuda-libraries <folder>`, or install the processor's " +
      "build with `thaw backend install`.",
    { details: facts },
  );
}

/** Everything is there and the library does not load, or sees no GPU. */
export function doesNotStart(facts: {
  readonly backend: string;
  readonly folder: string;
  readonly reason: string;
}): ThawError {
  return new ThawError(
    "THAW_INSTALL_DOES_NOT_START",
    `The backend "${facts.backend}" was built in ${facts.folder} and does not start: ${facts.reason}. Thaw goes ` +
      "on with WebAssembly; `thaw doctor` says what was found, `thaw backend install --uninstall` removes it.",
    { details: facts },
  );
}

/** The disk is full or the cache folder cannot be written. */
export function installDisk(
  facts: { readonly folder: string; readonly reason: string; readonly neededBytes: number },
  cause?: unknown,
): ThawError {
  return new ThawError(
    "THAW_INSTALL_DISK",
    `\`thaw backend install\` cannot write to ${facts.folder}: ${facts.reason}. It needs ` +
      `${Math.ceil(facts.neededBytes / 1e9)} GB there. Free space, or name another folder with \`--cache ` +
      "<folder>`.",
    { details: facts, cause },
  );
}
