import { cpus, totalmem } from "node:os";
import { type BackendDiagnosis, defaultCacheFolder, diagnose, resolveBackendOptions } from "@thaw/backend-gpu";
import { bytesText } from "@thaw/contracts";
import { table } from "../render/text.js";
import type { Terminal } from "../terminal/terminal.js";

/**
 * Says which backends are on this machine, whether they start (each is tried in a process of its own), and what would
 * be faster.
 */
export async function doctor(options: { readonly json?: boolean }, terminal: Terminal): Promise<number> {
  const resolved = resolveBackendOptions("auto", { projectFolder: process.cwd(), cacheFolder: defaultCacheFolder() });
  const machine = {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cores: cpus().length,
    memoryBytes: totalmem(),
  };
  const diagnosis = await diagnose(resolved);
  if (options.json === true) {
    terminal.out(JSON.stringify({ ...machine, ...diagnosis }));
    return 0;
  }
  const { colors, width } = terminal;
  terminal.out(
    `Node ${machine.node}, ${machine.platform}, ${machine.cores} cores, ${bytesText(machine.memoryBytes)} of memory.`,
  );
  for (const gpu of diagnosis.gpus) terminal.out(gpu);
  if (diagnosis.driver !== undefined && diagnosis.missingCudaLibraries.length > 0)
    terminal.out(`CUDA libraries that were not found: ${diagnosis.missingCudaLibraries.join(", ")}.`);
  terminal.out("");
  const rows = diagnosis.backends.map((backend) => [
    backend.name,
    stateOf(backend, colors),
    noteOf(backend, diagnosis.chosen),
  ]);
  for (const line of table([{ title: "backend" }, { title: "state" }, { title: "note" }], rows, {
    width,
    dim: colors.dim,
  }))
    terminal.out(line);
  for (const { name, command, why } of diagnosis.faster)
    terminal.out(`\nFaster: ${name} (${why}). Get it with: ${command}`);
  return 0;
}

function stateOf({ isFound, probe }: BackendDiagnosis, colors: Terminal["colors"]): string {
  if (!isFound) return colors.dim("not found");
  return probe?.starts === true ? colors.green("starts") : colors.red("does not start");
}

function noteOf({ name, command, probe }: BackendDiagnosis, chosen: string | undefined): string {
  if (probe === undefined) return command;
  if (!probe.starts) return probe.reason;
  return name === chosen ? `${probe.description}; taken by backend: auto` : probe.description;
}
