import { existsSync, readdirSync } from "node:fs";
import { rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolders } from "@thaw/core";
import type { RunCommand } from "./command.js";

/**
 * What XLA needs to compile for NVIDIA's GPUs, where it looks for them under its folder, and where toolkits and
 * Python's packages have them.
 */
const XLA_TOOLS = [
  {
    target: "nvvm/libdevice/libdevice.10.bc",
    inToolkit: "nvvm/libdevice/libdevice.10.bc",
    inTriton: "lib/libdevice.10.bc",
  },
  { target: "bin/ptxas", inToolkit: "bin/ptxas", inTriton: "bin/ptxas" },
] as const;

/** Folder under a backend's own that XLA is told of. */
export const XLA_FOLDER = "xla";

const PACKAGES =
  "import site, glob; print('\\n'.join(f for s in [*site.getsitepackages(), site.getusersitepackages()] for p in " +
  "('triton/backends/nvidia', 'nvidia/*') for f in glob.glob(s + '/' + p)))";

/**
 * Where the tools are: a CUDA toolkit's, or those that Python's packages `triton` and `nvidia-cuda-nvcc` bring. By
 * place under XLA's folder.
 */
export async function findXlaTools(run: RunCommand): Promise<ReadonlyMap<string, string>> {
  const packages = (await run("python3", ["-c", PACKAGES])).stdout.split("\n").filter(Boolean);
  const toolkits = namesIn("/usr/local")
    .filter((name) => name.startsWith("cuda"))
    .map((name) => join("/usr/local", name));
  const found = new Map<string, string>();
  for (const { target, inToolkit, inTriton } of XLA_TOOLS) {
    const candidates = [...packages, ...toolkits].flatMap((folder) => [
      join(folder, inToolkit),
      join(folder, inTriton),
    ]);
    const file = candidates.find((candidate) => existsSync(candidate));
    if (file !== undefined) found.set(target, file);
  }
  return found;
}

/** Lays links to them in the backend's folder. Without them the backend works all the same, operation by operation. */
export async function linkXlaTools(folder: string, found: ReadonlyMap<string, string>): Promise<void> {
  const root = join(folder, XLA_FOLDER);
  await rm(root, { recursive: true, force: true });
  for (const [target, file] of found) {
    await makeFolders(dirname(join(root, target)));
    await symlink(file, join(root, target));
  }
}

/** True if XLA finds all that it needs in the backend's folder. */
export function hasXlaTools(folder: string): boolean {
  return XLA_TOOLS.every(({ target }) => existsSync(join(folder, XLA_FOLDER, target)));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
