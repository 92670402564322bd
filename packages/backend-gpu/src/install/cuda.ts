import { existsSync, readdirSync } from "node:fs";
import { rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeFolders } from "@thaw/core";
import { cudaMissing } from "../errors.js";
import type { RunCommand } from "./command.js";

/** A library that TensorFlow opens, and what it may be served by. */
interface CudaLibrary {
  /** As TensorFlow, built for CUDA 12, asks for it. */
  readonly name: string;
  /** Of CUDA 13; the functions that TensorFlow calls are in both (verified on an H100). */
  readonly newer: readonly string[];
  /** Folder under `nvidia/` in which TensorFlow's own search path looks. */
  readonly folder: string;
  readonly isOptional?: boolean;
}

/** Names by `strings libtensorflow_framework.so.2`; folders by its RUNPATH (`$ORIGIN/../nvidia/<folder>/lib`). */
export const CUDA_LIBRARIES: readonly CudaLibrary[] = [
  { name: "libcudart.so.12", newer: [], folder: "cuda_runtime" },
  { name: "libcublas.so.12", newer: ["libcublas.so.13"], folder: "cublas" },
  { name: "libcublasLt.so.12", newer: ["libcublasLt.so.13"], folder: "cublas" },
  { name: "libcufft.so.11", newer: ["libcufft.so.12"], folder: "cufft" },
  { name: "libcusolver.so.11", newer: ["libcusolver.so.12"], folder: "cusolver" },
  { name: "libcusparse.so.12", newer: ["libcusparse.so.13"], folder: "cusparse" },
  { name: "libcudnn.so.9", newer: [], folder: "cudnn" },
  { name: "libnccl.so.2", newer: [], folder: "nccl", isOptional: true },
  { name: "libcupti.so.12", newer: ["libcupti.so.13"], folder: "cuda_cupti", isOptional: true },
  { name: "libnvshmem_host.so.3", newer: [], folder: "nvshmem", isOptional: true },
];

const DRIVER = "libcuda.so.1";
/** Where a driver lies that the loader's cache does not list. */
const DRIVER_FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"];
const SITE_PACKAGES =
  "import site, glob; print('\\n'.join(f for s in [*site.getsitepackages(), site.getusersitepackages()] for f in " +
  "glob.glob(s + '/nvidia/*/lib')))";

/** What was found of CUDA. */
export interface CudaSearch {
  /** Path of the driver's library. */
  readonly driver?: string;
  /** Library to the file that serves it. */
  readonly found: ReadonlyMap<string, string>;
  /** Not optional, and nowhere. */
  readonly missing: readonly string[];
  readonly searched: readonly string[];
}

/** What the kernel's half of the driver shows once it runs: the library alone can be a container's, without a card. */
const DEVICE_FILES = ["/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version"];

/** True where a card can be reached. */
export function hasDevice(isThere: (path: string) => boolean = existsSync): boolean {
  return DEVICE_FILES.some((path) => isThere(path));
}

/**
 * Looks for the driver and the libraries: given folders, the loader's cache, `/usr/local/cuda`, Python's site-packages.
 */
export async function findCuda(run: RunCommand, given: readonly string[] = []): Promise<CudaSearch> {
  const cached = parseLoaderCache((await run("ldconfig", ["-p"])).stdout);
  const python = (await run("python3", ["-c", SITE_PACKAGES])).stdout.split("\n").filter(Boolean);
  const toolkits = foldersUnder("/usr/local")
    .filter((name) => name.startsWith("cuda"))
    .map((name) => join("/usr/local", name, "lib64"));
  const searched = [...given, ...python, ...toolkits].filter((folder) => existsSync(folder));
  const fileOf = (name: string): string | undefined => {
    const folder = searched.find((candidate) => existsSync(join(candidate, name)));
    return folder === undefined ? cached.get(name) : join(folder, name);
  };
  const found = new Map<string, string>();
  for (const { name, newer } of CUDA_LIBRARIES) {
    const file = [name, ...newer].map(fileOf).find((path) => path !== undefined);
    if (file !== undefined) found.set(name, file);
  }
  const driver =
    cached.get(DRIVER) ?? DRIVER_FOLDERS.map((folder) => join(folder, DRIVER)).find((path) => existsSync(path));
  return {
    driver,
    found,
    missing: CUDA_LIBRARIES.filter(({ name, isOptional }) => isOptional !== true && !found.has(name)).map(
      ({ name }) => name,
    ),
    searched,
  };
}

/**
 * Lays links where TensorFlow's own search path looks, so that no environment variable is needed. Each folder gets all
 * libraries beside those found, since they open one another by name. @throws THAW_INSTALL_NO_CUDA
 */
export async function linkCuda(folder: string, search: CudaSearch): Promise<void> {
  const missing = [...(search.driver === undefined ? [`NVIDIA's driver (${DRIVER})`] : []), ...search.missing];
  if (missing.length > 0) throw cudaMissing({ missing, searched: search.searched });
  const links = join(folder, "cuda");
  await rm(links, { recursive: true, force: true });
  await makeFolders(links);
  const wanted = new Map<string, string>();
  for (const file of search.found.values()) {
    for (const name of foldersUnder(dirname(file))) if (isCudaName(name)) wanted.set(name, join(dirname(file), name));
  }
  for (const [name, file] of search.found) wanted.set(name, file);
  for (const [name, file] of wanted) await symlink(file, join(links, name));
  for (const name of new Set(CUDA_LIBRARIES.map((library) => library.folder))) {
    const target = join(folder, "nvidia", name, "lib");
    await makeFolders(dirname(target));
    await rm(target, { recursive: true, force: true });
    await symlink(join("..", "..", "cuda"), target);
  }
}

/** The loader's folders hold everything; of those, NVIDIA's libraries alone are linked. */
function isCudaName(name: string): boolean {
  return /^lib(cu|nv|nccl)[A-Za-z_]*(-[a-z]+)?\.so(\.|$)/.test(basename(name)) && !name.startsWith("libcuda.so");
}

function parseLoaderCache(text: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const [, name, file] of text.matchAll(/^\s*(\S+) \(.*x86-64.*\) => (\S+)$/gm))
    if (name !== undefined && file !== undefined && !files.has(name)) files.set(name, file);
  return files;
}

function foldersUnder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
