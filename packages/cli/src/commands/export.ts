import { saveAdapter } from "@thaw/plugin-lora";
import { resolve } from "node:path";
import { sessionTrainer } from "../running/build-run.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import { openConfiguredModel } from "../planning/plan-run.js";
import { openTarget } from "../running/run-folder.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw export`. */
export interface ExportOptions {
  /** Write the adapters alone, in PEFT's layout, instead of a whole checkpoint. */
  readonly adapter?: boolean;
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
 * in their places, adapters merged. `@throws THAW_CHECKPOINT_EXISTS, THAW_CHECKPOINT_UNWRITABLE, THAW_LORA_*`.
 */
export async function exportRun(
  path: string,
  folder: string,
  options: ExportOptions,
  terminal: Terminal,
): Promise<number> {
  const target = await openTarget(path, options);
  const written = resolve(folder);
  const trainer = sessionTrainer(
    target.config,
    await openConfiguredModel(target.config),
    await createLogger(options.logLevel, { isJson: options.json === true }),
  );
  const session = await trainer.open();
  try {
    if (target.trained !== undefined) await session.loadParameters(target.trained);
    const omitted = options.adapter === true ? await saveAdapter(trainer, written, session) : [];
    if (options.adapter !== true)
      await session.save(written, {
        dtype: options.dtype === "bf16" ? "BF16" : "F32",
        overwrite: options.overwrite === true,
      });
    if (options.json === true) terminal.out(JSON.stringify({ folder: written, omitted }));
    else terminal.out(written);
    if (omitted.length > 0)
      terminal.err(
        `PEFT's layout has no place for ${omitted.join(", ")}, so the adapter alone is not the trained model.`,
      );
    return 0;
  } finally {
    await session.close();
  }
}
