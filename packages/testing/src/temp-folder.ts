import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Gives `run` an empty folder of its own and removes it afterwards, also when `run` fails. */
export async function withTempFolder<T>(run: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "thaw-test-"));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The run folder: `output` holds no other. */
export async function onlyFolder(output: string): Promise<string> {
  const [name] = await readdir(output);
  return join(output, name ?? "");
}
