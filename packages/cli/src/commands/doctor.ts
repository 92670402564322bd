import { cpus, totalmem } from "node:os";
import { defaultCacheFolder, listCandidates, realLoader, resolveBackendOptions } from "@thaw/backend-gpu";
import { bytesText, table } from "../render/text.js";
import type { Terminal } from "../terminal.js";

/** Says which backends are on this machine; loads none. */
export function doctor(options: { readonly json?: boolean }, terminal: Terminal): Promise<number> {
  const resolved = resolveBackendOptions("auto", { projectFolder: process.cwd(), cacheFolder: defaultCacheFolder() });
  const candidates = listCandidates(realLoader(resolved));
  const chosen = candidates.find(({ location }) => location !== undefined)?.entry.name;
  const machine = { node: process.version, platform: `${process.platform} ${process.arch}`, cores: cpus().length, memoryBytes: totalmem() };
  if (options.json === true) {
    terminal.out(JSON.stringify({ ...machine, backends: candidates.map(({ entry, location }) => ({ name: entry.name, isFound: location !== undefined })), chosen }));
    return Promise.resolve(0);
  }
  const { colors, width } = terminal;
  terminal.out(`Node ${machine.node}, ${machine.platform}, ${machine.cores} cores, ${bytesText(machine.memoryBytes)} of memory.\n`);
  const rows = candidates.map(({ entry, location }) => [entry.name, location === undefined ? colors.dim("not found") : colors.green("found"), entry.name === chosen ? "first choice of backend: auto" : location === undefined ? entry.command : ""]);
  for (const line of table([{ title: "backend" }, { title: "here" }, { title: "note" }], rows, { width, dim: colors.dim })) terminal.out(line);
  return Promise.resolve(0);
}
