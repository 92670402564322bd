import {
  type BackendName,
  benchBackend,
  chooseBackend,
  defaultCacheFolder,
  installBackend,
  type InstallableBackend,
  type InstallStage,
  resolveBackendOptions,
  uninstallBackend,
} from "@thaw/backend-gpu";
import { watchInterrupts } from "../running/interrupt.js";
import { createProgress, silentProgress } from "../terminal/progress.js";
import { table } from "../render/text.js";
import type { Terminal } from "../terminal/terminal.js";

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

/** Options of `thaw backend bench`. */
export interface BackendBenchOptions {
  readonly backend?: string;
  readonly cache?: string;
  readonly tensorFloat32?: boolean;
  readonly json?: boolean;
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
export async function install(options: BackendInstallOptions, terminal: Terminal): Promise<number> {
  const backend: InstallableBackend = options.cuda === true ? "gpu" : "native";
  const cacheFolder = options.cache ?? defaultCacheFolder();
  if (options.uninstall === true) {
    const wasThere = await uninstallBackend(backend, cacheFolder);
    terminal.out(
      wasThere ? `Removed the backend "${backend}".` : `The backend "${backend}" is not installed in ${cacheFolder}.`,
    );
    return 0;
  }
  const progress = options.quiet === true ? silentProgress() : await createProgress(terminal);
  const controller = new AbortController();
  const interrupts = watchInterrupts(
    terminal,
    () => controller.abort(),
    "Stopping; what was fetched is kept, and the same command goes on from there.",
  );
  let current: string | undefined;
  let shown = 0;
  try {
    const result = await installBackend({
      backend,
      cacheFolder,
      wheel: options.wheel,
      compiler: options.compiler,
      cudaFolders: options.cudaLibraries,
      signal: controller.signal,
      onProgress: ({ stage, done, total, text }) => {
        if (total === 0) {
          progress.end();
          if (current !== text && options.quiet !== true) terminal.err(`${LABELS[stage]} ${text}`);
          current = text;
          return;
        }
        const units = done >= total ? Math.ceil(total / UNIT) : Math.floor(done / UNIT);
        if (current !== stage) progress.begin(`${LABELS[stage]} (MB)`, Math.ceil(total / UNIT), units);
        if (current !== stage || units !== shown) progress.advance(units);
        [current, shown] = [stage, units];
      },
    });
    terminal.out(
      `${OUTCOMES[result.outcome]}: TensorFlow ${result.manifest.tensorflow} as the backend "${backend}" in ` +
        `${result.folder}.`,
    );
    terminal.out(
      options.cache === undefined
        ? "`backend: auto` takes it from now on."
        : `To use it, write \`backend: { name: ${backend}, cacheFolder: ${cacheFolder} }\`.`,
    );
    return 0;
  } catch (error) {
    if (interrupts.isInterrupted()) return interrupts.exitCode();
    throw error;
  } finally {
    progress.end();
    interrupts.stop();
  }
}

/**
 * Measures a backend: products in the forms that training uses, the cost of one operation, uploads. `@throws
 * THAW_BACKEND_*`
 */
export async function bench(options: BackendBenchOptions, terminal: Terminal): Promise<number> {
  const name = (options.backend ?? "auto") as "auto" | BackendName;
  const resolved = resolveBackendOptions(name, {
    projectFolder: process.cwd(),
    cacheFolder: options.cache ?? defaultCacheFolder(),
    tensorFloat32: options.tensorFloat32 ?? false,
  });
  const { backend, fallbacks } = await chooseBackend(resolved);
  for (const line of fallbacks) terminal.err(line);
  const speed = await benchBackend(backend.matmul);
  if (options.json === true) {
    terminal.out(JSON.stringify({ backend: backend.description, ...speed }));
    return 0;
  }
  const { colors, width } = terminal;
  terminal.out(`${backend.description}\n`);
  const rows = speed.products.map(({ name: product, gflops, share }) => [
    product,
    gflops.toFixed(gflops < 10 ? 1 : 0),
    `${(share * 100).toFixed(0)} %`,
  ]);
  for (const line of table(
    [{ title: "product" }, { title: "GFLOP/s", align: "right" }, { title: "of the fastest plain one", align: "right" }],
    rows,
    { width, dim: colors.dim },
  ))
    terminal.out(line);
  terminal.out(
    `\nOne small operation takes ${speed.operationMicroseconds.toFixed(1)} us, an upload runs at ` +
      `${speed.uploadGigabytesPerSecond.toFixed(2)} GB/s.`,
  );
  return 0;
}
