import { resolve } from "node:path";
import { openRun } from "../running/open-run.js";
import type { LogLevel } from "../terminal/log.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw export`. */
export interface ExportOptions {
  readonly dtype: "f32" | "bf16";
  readonly overwrite?: boolean;
  readonly backend?: string;
  /** The run may name code. */
  readonly trust?: boolean;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

/**
 * Writes a run, or one of its checkpoints, as a Hugging Face checkpoint that needs nothing of Thaw: trained parameters
 * in their places, adapters merged. `@throws THAW_CHECKPOINT_EXISTS, THAW_CHECKPOINT_UNWRITABLE`.
 */
export async function exportRun(
  path: string,
  folder: string,
  options: ExportOptions,
  terminal: Terminal,
): Promise<number> {
  const written = resolve(folder);
  const { backend, trust, json, logLevel } = options;
  const run = await openRun(path, { backend, isTrusted: trust, isJson: json, logLevel, terminal });
  try {
    await run.session.save(written, {
      dtype: options.dtype === "bf16" ? "BF16" : "F32",
      overwrite: options.overwrite === true,
    });
  } finally {
    await run.close();
  }
  terminal.out(json === true ? JSON.stringify({ folder: written }) : written);
  return 0;
}
