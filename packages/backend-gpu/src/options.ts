import { z } from "zod";

/** Every backend that Thaw knows, fastest first. */
export const BACKEND_NAMES = ["gpu", "webgpu", "native", "wasm", "cpu"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

const name = z.enum(["auto", ...BACKEND_NAMES]).meta({
  synonyms: {
    cuda: "gpu",
    nvidia: "gpu",
    tensorflow: "native",
    node: "native",
    webassembly: "wasm",
    javascript: "cpu",
    js: "cpu",
  },
});

/** The `backend` section. */
export const backendOptionsSchema = z
  .union([
    name,
    z.strictObject({
      name: name.default("auto").describe("auto takes the fastest that is there."),
      kernels: z
        .boolean()
        .optional()
        .describe(
          "Whether the native backend uses the kernels that thaw backend install compiled for the processor, " +
            "beside TensorFlow's operations. Default: true.",
        ),
      functions: z
        .boolean()
        .optional()
        .describe(
          "Whether TensorFlow's backends make compiled functions of operations that belong together (norms, " +
            "gates, attention). Default: on a GPU where what is left of the run pays for compiling them; not on a " +
            "processor, which has kernels.",
        ),
      threads: z
        .int()
        .min(1)
        .max(256)
        .optional()
        .describe(
          "On how many threads the WASM backend multiplies. Default: OMP_NUM_THREADS, else one per processor, 16 at " +
            "most.",
        ),
      fallbackAdapter: z
        .boolean()
        .optional()
        .describe(
          "Whether the WebGPU backend may take an adapter that computes on the processor, such as SwiftShader: slow, " +
            "and good for tests. Default: false.",
        ),
      projectFolder: z.string().min(1).optional().meta({
        format: "code-path",
        description: "Folder from which npm packages are looked up. Default: the working directory.",
      }),
      cacheFolder: z.string().min(1).optional().meta({
        format: "code-path",
        description: "Folder into which thaw backend install puts libraries. Default: a folder of the user's cache.",
      }),
    }),
  ])
  .default("auto")
  .describe("What computes: a name alone, or a name with where to look. auto takes the fastest that is there.");

/** As users write it. */
export type { BackendOptions } from "./option-types.js";
/** As the schema returns it. */
export type ParsedBackendOptions = z.output<typeof backendOptionsSchema>;

/** What code reads. */
export interface ResolvedBackendOptions {
  readonly name: "auto" | BackendName;
  /** On GPUs: products of float32 with 10 bits of mantissa. What `training.precision` asks for. */
  readonly tensorFloat32: boolean;
  /** Thaw's kernels for the processor, where they are installed. */
  readonly kernels: boolean;
  /** Compiled functions in place of single operations; absent: on a GPU where they are worth their time. */
  readonly functions?: boolean;
  /** Threads of the WASM backend; absent: one per processor. */
  readonly threads?: number;
  /** WebGPU by a processor, where no card is; absent: refused. */
  readonly fallbackAdapter?: boolean;
  readonly projectFolder: string;
  readonly cacheFolder: string;
}

/** Expands the short form and fills in the folders; `tensorFloat32` is off unless given. */
export function resolveBackendOptions(
  options: ParsedBackendOptions,
  defaults: { readonly projectFolder: string; readonly cacheFolder: string; readonly tensorFloat32?: boolean },
): ResolvedBackendOptions {
  const long = typeof options === "string" ? { name: options } : options;
  return Object.freeze({
    tensorFloat32: false,
    kernels: true,
    ...defaults,
    ...Object.fromEntries(Object.entries(long).filter(([, value]) => value !== undefined)),
  }) as ResolvedBackendOptions;
}
