import { cpus, totalmem } from "node:os";
import { bytesText, type CommandContext, type CommandLine } from "@thaw/core";
import { diagnose, type BackendDiagnosis } from "../diagnose.js";
import { defaultCacheFolder } from "../locate.js";
import { resolveBackendOptions } from "../options.js";

/**
 * Says which backends are on this machine, whether they start (each is tried in a process of its own), and what would
 * be faster.
 */
export async function doctor(
  { options }: CommandLine<{ readonly json?: boolean }>,
  context: CommandContext,
): Promise<number> {
  const resolved = resolveBackendOptions("auto", { projectFolder: process.cwd(), cacheFolder: defaultCacheFolder() });
  const machine = {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cores: cpus().length,
    memoryBytes: totalmem(),
  };
  const diagnosis = await diagnose(resolved);
  if (options.json === true) {
    context.out(JSON.stringify({ ...machine, ...diagnosis }));
    return 0;
  }
  context.out(
    `Node ${machine.node}, ${machine.platform}, ${machine.cores} cores, ${bytesText(machine.memoryBytes)} of memory.`,
  );
  for (const gpu of diagnosis.gpus) context.out(gpu);
  if (diagnosis.driver !== undefined && diagnosis.missingCudaLibraries.length > 0)
    context.out(`CUDA libraries that were not found: ${diagnosis.missingCudaLibraries.join(", ")}.`);
  context.out("");
  const rows = diagnosis.backends.map((backend) => [
    backend.name,
    stateOf(backend, context.colors),
    noteOf(backend, diagnosis.chosen),
  ]);
  context.table([{ title: "backend" }, { title: "state" }, { title: "note" }], rows);
  for (const { name, command, why } of diagnosis.faster)
    context.out(`\nFaster: ${name} (${why}). Get it with: ${command}`);
  return 0;
}

function stateOf({ isFound, probe }: BackendDiagnosis, colors: CommandContext["colors"]): string {
  if (!isFound) return colors.dim("not found");
  return probe?.starts === true ? colors.green("starts") : colors.red("does not start");
}

function noteOf({ name, command, probe }: BackendDiagnosis, chosen: string | undefined): string {
  if (probe === undefined) return command;
  if (!probe.starts) return probe.reason;
  return name === chosen ? `${probe.description}; taken by backend: auto` : probe.description;
}
