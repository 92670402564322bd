import { listCandidates, realLoader } from "./choose.js";
import { runCommand, type RunCommand } from "./install/command.js";
import { findCuda, hasDevice } from "./install/cuda.js";
import { type Probe, probeBackend } from "./probe.js";
import type { BackendName, ResolvedBackendOptions } from "./options.js";
import type { Location } from "./locate.js";

/** One backend, as `thaw doctor` shows it. */
export interface BackendDiagnosis {
  readonly name: BackendName;
  readonly summary: string;
  readonly isFound: boolean;
  /** Folder, where it was found. */
  readonly where?: string;
  /** Absent where it was not found. */
  readonly probe?: Probe;
  /** What to type to get it. */
  readonly command: string;
}

/** What is here, what would run, and what would be faster. */
export interface Diagnosis {
  readonly backends: readonly BackendDiagnosis[];
  /** What `backend: auto` takes. */
  readonly chosen?: BackendName;
  readonly gpus: readonly string[];
  /** Path of NVIDIA's driver library. */
  readonly driver?: string;
  /** CUDA libraries that the GPU backend would need and that are nowhere. */
  readonly missingCudaLibraries: readonly string[];
  /** Faster than what is chosen and possible here, fastest first. */
  readonly faster: readonly { readonly name: BackendName; readonly command: string; readonly why: string }[];
}

/** Looks for every backend, starts those found in processes of their own, and says what this machine could have. */
export async function diagnose(options: ResolvedBackendOptions, run: RunCommand = runCommand): Promise<Diagnosis> {
  const [cuda, smi] = await Promise.all([findCuda(run), run("nvidia-smi", ["-L"])]);
  const gpus = smi.exitCode === 0 ? smi.stdout.split("\n").filter((line) => line.startsWith("GPU ")) : [];
  const backends: BackendDiagnosis[] = [];
  for (const { entry, location } of listCandidates(realLoader(options))) {
    const found =
      location === undefined ? {} : { where: folderOf(location), probe: await probeBackend(entry.name, options, run) };
    backends.push({
      name: entry.name,
      summary: entry.summary,
      isFound: location !== undefined,
      command: entry.command,
      ...found,
    });
  }
  const chosen = backends.findIndex(({ probe }) => probe?.starts === true);
  const above = chosen < 0 ? backends : backends.slice(0, chosen);
  const hasGpu = gpus.length > 0 || (cuda.driver !== undefined && hasDevice());
  return {
    backends,
    chosen: backends[chosen]?.name,
    gpus,
    driver: cuda.driver,
    missingCudaLibraries: cuda.missing,
    faster: above.flatMap(({ name, command }) => {
      const why = reasonFor(name, hasGpu);
      return why === undefined ? [] : [{ name, command, why }];
    }),
  };
}

/** Undefined where the backend is not possible on this machine. Figures: docs/backends.md. */
function reasonFor(name: BackendName, hasGpu: boolean): string | undefined {
  if (name === "gpu")
    return hasGpu
      ? "an NVIDIA driver is here; matrix products run 100 times faster than on two cores and more"
      : undefined;
  if (name === "webgpu") return hasGpu ? "an NVIDIA driver is here; npm packages alone, slower than CUDA" : undefined;
  if (name === "native")
    return `${process.platform}-${process.arch}` === "linux-x64"
      ? "3 to 10 times as fast as WebAssembly, on all cores"
      : undefined;
  return undefined;
}

function folderOf(location: Location): string {
  return location.kind === "installed" ? location.folder : Object.values(location.folders).join(", ");
}
