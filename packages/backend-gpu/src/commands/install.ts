import type { CommandContext, CommandLine } from "@thaw/core";
import { installBackend, uninstallBackend, type InstallableBackend, type InstallStage } from "../install/index.js";
import { defaultCacheFolder } from "../locate.js";

/** Options of `thaw backend install`. */
export interface BackendInstallOptions {
  readonly cuda?: boolean;
  readonly uninstall?: boolean;
  readonly wheel?: string;
  readonly compiler?: string;
  readonly cudaLibraries?: readonly string[];
  readonly cache?: string;
  readonly quiet?: boolean;
}

/** Megabytes are what a download is counted in. */
const UNIT = 1e6;
const LABELS: Readonly<Record<InstallStage, string>> = {
  wheel: "fetch",
  unpack: "unpack",
  sources: "fetch",
  compile: "compile",
  cuda: "link",
  start: "try",
};

const OUTCOMES = {
  installed: "Installed",
  renewed: "Compiled again for this version of Thaw",
  there: "Already there",
} as const;

/** Makes or removes a compiled backend. `@throws THAW_INSTALL_*` */
export async function install(
  { options }: CommandLine<BackendInstallOptions>,
  context: CommandContext,
): Promise<number> {
  const backend: InstallableBackend = options.cuda === true ? "gpu" : "native";
  const cacheFolder = options.cache ?? defaultCacheFolder();
  if (options.uninstall === true) {
    const wasThere = await uninstallBackend(backend, cacheFolder);
    context.out(
      wasThere ? `Removed the backend "${backend}".` : `The backend "${backend}" is not installed in ${cacheFolder}.`,
    );
    return 0;
  }
  const progress = await context.progress({ isQuiet: options.quiet });
  const interrupts = context.interrupts("Stopping; what was fetched is kept, and the same command goes on from there.");
  let current: string | undefined;
  let shown = 0;
  try {
    const result = await installBackend({
      backend,
      cacheFolder,
      wheel: options.wheel,
      compiler: options.compiler,
      cudaFolders: options.cudaLibraries,
      signal: interrupts.signal,
      onProgress: ({ stage, done, total, text }) => {
        if (total === 0) {
          progress.end();
          if (current !== text && options.quiet !== true) context.err(`${LABELS[stage]} ${text}`);
          current = text;
          return;
        }
        const units = done >= total ? Math.ceil(total / UNIT) : Math.floor(done / UNIT);
        if (current !== stage) progress.begin(`${LABELS[stage]} (MB)`, Math.ceil(total / UNIT), units);
        if (current !== stage || units !== shown) progress.advance(units);
        [current, shown] = [stage, units];
      },
    });
    context.out(
      `${OUTCOMES[result.outcome]}: TensorFlow ${result.manifest.tensorflow} as the backend "${backend}" in ` +
        `${result.folder}.`,
    );
    context.out(
      options.cache === undefined
        ? "`backend: auto` takes it from now on."
        : `To use it, write \`backend: { name: ${backend}, cacheFolder: ${cacheFolder} }\`.`,
    );
    return 0;
  } catch (error) {
    if (interrupts.signal.aborted) return interrupts.exitCode();
    throw error;
  } finally {
    progress.end();
    interrupts.stop();
  }
}
