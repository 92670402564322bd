import { runCommand, type RunCommand } from "./install/command.js";
import type { BackendName, ResolvedBackendOptions } from "./options.js";

/** Whether a backend that was found also starts. */
export type Probe =
  | { readonly starts: true; readonly description: string; readonly startMs: number }
  | { readonly starts: false; readonly reason: string };

/**
 * Starts a backend in a process of its own: some end the process where a library is missing, and TensorFlow can be
 * loaded once. Its absence of errors says nothing about a GPU, so the answer comes from the device list.
 */
export async function probeBackend(
  name: BackendName,
  options: ResolvedBackendOptions,
  run: RunCommand = runCommand,
): Promise<Probe> {
  const script = [
    `import { chooseBackend } from ${JSON.stringify(new URL("./index.js", import.meta.url).href)};`,
    `const from = performance.now();`,
    `const answer = await chooseBackend(${JSON.stringify({ ...options, name })}).then(`,
    "  ({ backend }) => ({ starts: true, description: backend.description, startMs: Math.round(performance.now() " +
      "- from) }),",
    `  (error) => ({ starts: false, reason: error.details?.reason ?? error.message }));`,
    `console.log(JSON.stringify(answer)); process.exit(0);`,
  ].join("\n");
  const result = await run(process.execPath, ["--input-type=module", "-e", script]);
  const line = result.stdout.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as Probe;
  } catch {
    const last = result.stderr.trim().split("\n").at(-1);
    return {
      starts: false,
      reason:
        last === undefined || last === ""
          ? `the process that tried it ended with code ${String(result.exitCode)}`
          : last,
    };
  }
}
