import { arch, cpus, platform, release, totalmem } from "node:os";
import { bytesText } from "@thaw/contracts";
import { version_core } from "@tensorflow/tfjs-core";

/** The machine and the versions that a run computes with, by name. */
export function environmentFacts(): Readonly<Record<string, string>> {
  const processors = cpus();
  return {
    system: `${platform()} ${release()} ${arch()}`,
    processor: `${processors[0]?.model.trim() ?? "unknown"}, ${processors.length} threads`,
    memory: bytesText(totalmem()),
    node: process.version,
    tensorflow: version_core,
  };
}
