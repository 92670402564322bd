import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A temporary folder that is the working directory until it is left. */
export interface WorkFolder {
  readonly path: string;
  /** Goes back to where it was entered from, and removes it. */
  leave(): void;
}

/** Makes a temporary folder whose name begins with `prefix`, and works in it. */
export function enterWorkFolder(prefix: string): WorkFolder {
  const before = process.cwd();
  const path = realpathSync(mkdtempSync(join(tmpdir(), prefix)));
  process.chdir(path);
  return {
    path,
    leave() {
      process.chdir(before);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
