import { spawn } from "node:child_process";

/** What a command printed and how it ended. */
export interface CommandResult {
  /** Null if the command does not exist. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command; the installer's only way to the outside, so that tests can stand in for it. */
export type RunCommand = (
  command: string,
  parameters: readonly string[],
  options?: { readonly cwd?: string },
) => Promise<CommandResult>;

/** Runs a command to its end without a shell. */
export const runCommand: RunCommand = (command, parameters, options = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, parameters, { cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", (error) => resolve({ exitCode: null, stdout, stderr: error.message }));
    child.on("close", (exitCode) => resolve({ exitCode: exitCode ?? 1, stdout, stderr }));
  });
