import { resolve } from "node:path";
import type { Command, CommandRun, Session, TrainerApi } from "@thaw/core";

/** Options of `thaw export-adapter`. */
interface ExportAdapterOptions {
  readonly backend?: string;
  readonly trust?: boolean;
  readonly json?: boolean;
}

/** Writes a trainer's adapters into a folder; gives the names of what PEFT's layout cannot hold. */
type SaveAdapter = (trainer: TrainerApi, folder: string, session: Session) => Promise<readonly string[]>;

/** The command that writes the adapters of a run alone, in PEFT's layout. */
export function exportAdapter(save: SaveAdapter): Command<ExportAdapterOptions> {
  return {
    name: "export-adapter",
    arguments: "<run-or-checkpoint> <folder>",
    summary: "write the adapters of a run alone, in PEFT's layout",
    help: `
Example:
  thaw export-adapter runs/run-20250101-120000 ./adapter`,
    options: [
      { flags: "--backend <name>", summary: "auto, gpu, webgpu, native, wasm or cpu" },
      { flags: "--trust", summary: "let the run's own config name code: plugins, configs in code, libraries" },
      { flags: "--json", summary: "one JSON object on standard output" },
    ],
    load: () => Promise.resolve(runWith(save)),
  };
}

function runWith(save: SaveAdapter): CommandRun<ExportAdapterOptions> {
  return async ({ arguments: [path, folder], options: { backend, trust, json } }, context) => {
    const written = resolve(folder!);
    const opened = await context.open(path!, { backend, isTrusted: trust, isJson: json });
    try {
      const omitted = await save(opened.trainer, written, opened.session);
      context.out(json === true ? JSON.stringify({ folder: written, omitted }) : written);
      if (omitted.length > 0)
        context.err(
          `PEFT's layout has no place for ${omitted.join(", ")}, so the adapter alone is not the trained model.`,
        );
      return 0;
    } finally {
      await opened.close();
    }
  };
}
