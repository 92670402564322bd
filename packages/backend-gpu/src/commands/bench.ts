import type { CommandContext, CommandLine } from "@thaw/core";
import { benchBackend } from "../bench.js";
import { chooseBackend } from "../choose.js";
import { defaultCacheFolder } from "../locate.js";
import { resolveBackendOptions, type BackendName } from "../options.js";

/** Options of `thaw backend bench`. */
export interface BackendBenchOptions {
  readonly backend?: string;
  readonly cache?: string;
  readonly tensorFloat32?: boolean;
  readonly json?: boolean;
}

/**
 * Measures a backend: products in the forms that training uses, the cost of one operation, uploads. `@throws
 * THAW_BACKEND_*`
 */
export async function bench({ options }: CommandLine<BackendBenchOptions>, context: CommandContext): Promise<number> {
  const name = (options.backend ?? "auto") as "auto" | BackendName;
  const resolved = resolveBackendOptions(name, {
    projectFolder: process.cwd(),
    cacheFolder: options.cache ?? defaultCacheFolder(),
    tensorFloat32: options.tensorFloat32 ?? false,
  });
  const { backend, fallbacks } = await chooseBackend(resolved);
  for (const line of fallbacks) context.err(line);
  const speed = await benchBackend(backend.matmul);
  if (options.json === true) {
    context.out(JSON.stringify({ backend: backend.description, ...speed }));
    return 0;
  }
  context.out(`${backend.description}\n`);
  const rows = speed.products.map(({ name: product, gflops, share }) => [
    product,
    gflops.toFixed(gflops < 10 ? 1 : 0),
    `${(share * 100).toFixed(0)} %`,
  ]);
  context.table(
    [{ title: "product" }, { title: "GFLOP/s", align: "right" }, { title: "of the fastest plain one", align: "right" }],
    rows,
  );
  context.out(
    `\nOne small operation takes ${speed.operationMicroseconds.toFixed(1)} us, an upload runs at ` +
      `${speed.uploadGigabytesPerSecond.toFixed(2)} GB/s.`,
  );
  return 0;
}
