import { rename } from "node:fs/promises";
import { join } from "node:path";
import { compileFailed, compilerMissing } from "../errors.js";
import { ADDONS, sourcePath } from "./addons.js";
import type { RunCommand } from "./command.js";

const COMPILERS = ["g++", "c++", "clang++"] as const;

/** Name of a C++ compiler that runs. @throws THAW_INSTALL_NO_COMPILER */
export async function findCompiler(run: RunCommand, wanted?: string): Promise<string> {
  const tried = wanted === undefined ? COMPILERS : [wanted];
  for (const compiler of tried) if ((await run(compiler, ["--version"])).exitCode === 0) return compiler;
  throw compilerMissing({ tried });
}

export interface CompileOptions {
  readonly compiler: string;
  /** Folder of the backend: `package/binding` has the sources, `include` the headers, `lib` the libraries. */
  readonly folder: string;
  readonly run: RunCommand;
}

/**
 * Compiles the addons against the libraries in `lib`, into `addon`. They use Node-API 8 alone, so one file serves every
 * Node from 20 on. @throws THAW_INSTALL_COMPILE_FAILED
 */
export async function compileAddons({ compiler, folder, run }: CompileOptions): Promise<void> {
  for (const { file, flags, sources, isLinked } of ADDONS) {
    const part = join("addon", `${file}.part`);
    const parameters = [
      ...`${flags} -std=c++17 -fPIC -shared -DNAPI_VERSION=8 -DBUILDING_NODE_EXTENSION -I include`.split(" "),
      ...sources.map(sourcePath),
      ...(isLinked ? "-L lib -ltensorflow_cc -ltensorflow_framework -Wl,-rpath,$ORIGIN/../lib" : "-ldl").split(" "),
      "-o",
      part,
    ];
    const result = await run(compiler, parameters, { cwd: folder });
    if (result.exitCode !== 0)
      throw compileFailed({ command: [compiler, ...parameters].join(" "), output: firstErrors(result.stderr) });
    await rename(join(folder, part), join(folder, "addon", file));
  }
}

function firstErrors(output: string): string {
  const lines = output.split("\n").filter((line) => /error|cannot|undefined/i.test(line));
  return (lines.length > 0 ? lines : output.split("\n")).slice(0, 3).join(" ").trim().replace(/\.$/, "");
}
