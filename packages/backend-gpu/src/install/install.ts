import { existsSync } from "node:fs";
import { readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ThawError, makeFolders } from "@thaw/core";
import { cudaMissing, doesNotStart, installDisk, platformUnsupported, wheelBroken } from "../errors.js";
import { type InstalledManifest, installedFolder, MANIFEST_FILE } from "../locate.js";
import { backendEntry } from "../table.js";
import { addonSourcesHash } from "./addons.js";
import { runCommand, type RunCommand } from "./command.js";
import { compileAddons, findCompiler } from "./compile.js";
import { type CudaSearch, findCuda, linkCuda } from "./cuda.js";
import { obtainPackage, type PackageRecipe, writeFiles } from "./npm-package.js";
import {
  ADDON_VERSION,
  type InstallableBackend,
  NPM_PACKAGES,
  TENSORFLOW_VERSION,
  WHEEL_HEADERS,
  WHEEL_LIBRARIES,
  type WheelRecipe,
  WHEELS,
} from "./recipe.js";
import { STAND_INS } from "./stand-ins.js";
import { obtainWheel } from "./archives/wheel.js";
import { findXlaTools, linkXlaTools } from "./xla.js";
import { extractEntry, readZipDirectory } from "./archives/zip.js";

const SUPPORTED = "linux-x64";

/** One stage of the installation, in order. */
export type InstallStage = "wheel" | "unpack" | "sources" | "compile" | "cuda" | "start";

/** Told while the installer works; `total` is 0 where it is not known. */
export type OnProgress = (progress: {
  readonly stage: InstallStage;
  readonly done: number;
  readonly total: number;
  readonly text: string;
}) => void;

export interface InstallOptions {
  readonly backend: InstallableBackend;
  readonly cacheFolder: string;
  /** A wheel brought by the user. */
  readonly wheel?: string;
  /** Compiler instead of the first of g++, c++, clang++ that runs. */
  readonly compiler?: string;
  /** More folders with CUDA libraries. */
  readonly cudaFolders?: readonly string[];
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
  /** Stand-ins for tests. */
  readonly run?: RunCommand;
  readonly fetch?: typeof fetch;
  readonly platform?: string;
  readonly wheels?: Readonly<Record<keyof typeof WHEELS, WheelRecipe>>;
  readonly packages?: Readonly<Record<keyof typeof NPM_PACKAGES, PackageRecipe>>;
}

/** What was done. */
export interface InstallResult {
  readonly folder: string;
  /** `renewed`: the library was there, and what another version of Thaw had compiled beside it was compiled again. */
  readonly outcome: "installed" | "renewed" | "there";
  readonly manifest: InstalledManifest;
}

/**
 * Makes a backend of TensorFlow's C++ library and the addon of `@tensorflow/tfjs-node`: fetches the wheel, unpacks the
 * few files that are needed, compiles, tries it in a process of its own. What is there already is kept, so it may be
 * stopped anywhere and called again; where only Thaw's own sources have changed since, these are compiled again and
 * nothing is fetched.
 * @throws THAW_INSTALL_PLATFORM, _NO_COMPILER, _NO_PYTHON, _WHEEL_UNREACHABLE, _WHEEL_BROKEN, _PACKAGE_UNREACHABLE,
 * _COMPILE_FAILED, _NO_CUDA, _DOES_NOT_START, _DISK
 */
export async function installBackend(options: InstallOptions): Promise<InstallResult> {
  const platform = options.platform ?? `${process.platform}-${process.arch}`;
  if (platform !== SUPPORTED) throw platformUnsupported({ platform, supported: SUPPORTED });
  const folder = installedFolder(backendEntry(options.backend), options.cacheFolder);
  const manifest: InstalledManifest = {
    format: 1,
    tensorflow: TENSORFLOW_VERSION,
    addon: ADDON_VERSION,
    platform,
    sources: addonSourcesHash(),
  };
  const found = await readInstalled(folder);
  const isSame = (key: keyof InstalledManifest): boolean => found?.[key] === manifest[key];
  const isLibraryThere = (["format", "tensorflow", "addon", "platform"] as const).every(isSame);
  if (isLibraryThere && isSame("sources")) return { folder, outcome: "there", manifest };
  const run = options.run ?? runCommand;
  const compiler = await findCompiler(run, options.compiler);
  const cuda = options.backend === "gpu" && !isLibraryThere ? await checkCuda(run, options) : undefined;
  try {
    const building = { ...options, run, compiler, cuda };
    await (isLibraryThere ? compile(folder, building) : build(folder, building));
  } catch (error) {
    throw error instanceof ThawError ? error : diskError(error, folder, options.backend);
  }
  await tryAddon(folder, options.backend, run);
  await writeFile(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await rm(join(folder, "download"), { recursive: true, force: true });
  return { folder, outcome: isLibraryThere ? "renewed" : "installed", manifest };
}

/** Removes an installed backend, also a half-finished one. False if there was none. */
export async function uninstallBackend(backend: InstallableBackend, cacheFolder: string): Promise<boolean> {
  const folder = installedFolder(backendEntry(backend), cacheFolder);
  const isThere = existsSync(folder);
  // The manifest goes first, so that what is left after an interruption counts as unfinished.
  await rm(join(folder, MANIFEST_FILE), { force: true });
  await rm(folder, { recursive: true, force: true });
  return isThere;
}

type BuildOptions = InstallOptions & {
  readonly run: RunCommand;
  readonly compiler: string;
  readonly cuda?: CudaSearch;
};

async function build(folder: string, options: BuildOptions): Promise<void> {
  const { run, onProgress } = options;
  const downloads = join(folder, "download");
  const recipes = options.wheels ?? WHEELS;
  const wheel = await fetchWheel(recipes[options.backend], downloads, options, options.wheel);
  const libraries = WHEEL_LIBRARIES.map((name) => [`tensorflow/${name}`, join("lib", name)] as const);
  const headers = WHEEL_HEADERS.map((name) => [`tensorflow/include/${name}`, join("include", name)] as const);
  await unpack(wheel, folder, [...headers, ...libraries], options);
  options.signal?.throwIfAborted();
  onProgress?.({ stage: "sources", done: 0, total: 0, text: "addon sources from npm" });
  const packages = options.packages ?? NPM_PACKAGES;
  const addon = await obtainPackage(packages.addon, downloads, run);
  const nodeHeaders = await obtainPackage(packages.headers, downloads, run);
  await writeFiles(
    join(folder, "package"),
    [...addon].filter(([path]) => isNeeded(path)),
  );
  await writeFiles(
    join(folder, "include"),
    [...nodeHeaders]
      .filter(([path]) => path.startsWith("include/"))
      .map(([path, content]) => [path.slice("include/".length), content] as const),
  );
  await writeFiles(folder, STAND_INS);
  await Promise.all(WHEEL_LIBRARIES.map((name) => link(name, join(folder, "lib", name.replace(/\.2$/, "")))));
  options.signal?.throwIfAborted();
  await compile(folder, options);
  if (options.cuda === undefined) return;
  onProgress?.({ stage: "cuda", done: 0, total: 0, text: "links to CUDA's libraries" });
  await linkCuda(folder, await withRuntime(options.cuda, folder, recipes.cudaRuntime, options));
}

/** What lies beside the library: the addons, and links to the tools of its compiler for GPUs. */
async function compile(folder: string, { backend, compiler, run, onProgress }: BuildOptions): Promise<void> {
  onProgress?.({ stage: "compile", done: 0, total: 0, text: `addon with ${compiler}` });
  await makeFolders(join(folder, "addon"));
  await compileAddons({ compiler, folder, run });
  if (backend === "gpu") await linkXlaTools(folder, await findXlaTools(run));
}

/**
 * Not everyone has CUDA 12's runtime beside CUDA 13; without it TensorFlow ends the process. It is small, so it is
 * fetched.
 */
async function withRuntime(
  cuda: CudaSearch,
  folder: string,
  recipe: WheelRecipe,
  options: BuildOptions,
): Promise<CudaSearch> {
  const runtime = "libcudart.so.12";
  if (!cuda.missing.includes(runtime)) return cuda;
  const file = await fetchWheel(recipe, join(folder, "download"), options);
  await unpack(file, folder, [[`nvidia/cuda_runtime/lib/${runtime}`, join("runtime", runtime)]], options);
  return {
    ...cuda,
    found: new Map([...cuda.found, [runtime, join(folder, "runtime", runtime)]]),
    missing: cuda.missing.filter((name) => name !== runtime),
  };
}

async function checkCuda(run: RunCommand, options: InstallOptions): Promise<CudaSearch> {
  const search = await findCuda(run, options.cudaFolders);
  // Before half a gigabyte is fetched in vain; the runtime can be fetched too.
  const missing = [
    ...(search.driver === undefined ? ["NVIDIA's driver (libcuda.so.1)"] : []),
    ...search.missing.filter((name) => name !== "libcudart.so.12"),
  ];
  if (missing.length > 0) throw cudaMissing({ missing, searched: search.searched });
  return search;
}

function fetchWheel(recipe: WheelRecipe, folder: string, options: BuildOptions, localFile?: string): Promise<string> {
  const onBytes = (done: number, total: number): void =>
    options.onProgress?.({ stage: "wheel", done, total, text: recipe.file });
  return obtainWheel({
    recipe,
    folder,
    localFile,
    run: options.run,
    onBytes,
    signal: options.signal,
    fetch: options.fetch,
  });
}

async function unpack(
  wheel: string,
  folder: string,
  members: readonly (readonly [string, string])[],
  { onProgress, signal }: InstallOptions,
): Promise<void> {
  const directory = await readZipDirectory(wheel);
  const entries = members.map(([name, target]) => {
    const entry = directory.get(name);
    if (entry === undefined) throw wheelBroken({ file: wheel, reason: `it has no member ${name}` });
    return { entry, target: join(folder, target) };
  });
  const total = entries.reduce((sum, { entry }) => sum + entry.bytes, 0);
  let done = 0;
  for (const { entry, target } of entries) {
    signal?.throwIfAborted();
    await extractEntry(wheel, entry, target, (bytes) => {
      done += bytes;
      onProgress?.({ stage: "unpack", done, total, text: entry.name });
    });
  }
}

/**
 * Of the addon's package: what the backend loads and what is compiled; its protocol buffers are for models that Thaw
 * does not read.
 */
function isNeeded(path: string): boolean {
  return (
    path === "package.json" ||
    path.startsWith("binding/") ||
    (/^dist\/.*\.js$/.test(path) && !/_test\.js$|^dist\/proto\//.test(path))
  );
}

async function link(target: string, path: string): Promise<void> {
  await rm(path, { force: true });
  await symlink(target, path);
}

async function readInstalled(folder: string): Promise<Partial<InstalledManifest> | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, MANIFEST_FILE), "utf8")) as Partial<InstalledManifest>;
  } catch {
    return undefined;
  }
}

/** A library that does not load can end the process, so it is tried in another one. */
async function tryAddon(folder: string, backend: InstallableBackend, run: RunCommand): Promise<void> {
  const script =
    `const b = require(${JSON.stringify(join(folder, "addon", "tfjs_binding.node"))}); ` +
    "console.log(JSON.stringify({ version: b.TF_Version, gpu: b.isUsingGpuDevice() }))";
  const result = await run(process.execPath, ["-e", script]);
  const answer = result.stdout.trim().split("\n").at(-1) ?? "";
  if (result.exitCode !== 0 || !answer.startsWith("{"))
    throw doesNotStart({
      backend,
      folder,
      reason: result.stderr.trim().split("\n").at(-1) ?? `exit code ${String(result.exitCode)}`,
    });
  const { version, gpu } = JSON.parse(answer) as { version: string; gpu: boolean };
  if (version !== TENSORFLOW_VERSION)
    throw doesNotStart({ backend, folder, reason: `it says that it is TensorFlow ${version}` });
  if (backend === "gpu" && !gpu) throw doesNotStart({ backend, folder, reason: "TensorFlow sees no CUDA device" });
}

function diskError(error: unknown, folder: string, backend: InstallableBackend): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const known = new Map([
    ["ENOSPC", "the disk is full"],
    ["EACCES", "no permission"],
    ["EROFS", "the file system is read-only"],
    ["EDQUOT", "the quota is used up"],
  ]);
  const reason = known.get(code ?? "");
  return reason === undefined
    ? error
    : installDisk({ folder, reason, neededBytes: backend === "gpu" ? 2e9 : 1.2e9 }, error);
}
