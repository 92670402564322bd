// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

/** What computes: a name alone, or a name with where to look. auto takes the fastest that is there. */
export type BackendOptions = "auto" | "gpu" | "webgpu" | "native" | "wasm" | "cpu" | BackendOptionsMapping;

/** What computes: a name alone, or a name with where to look. auto takes the fastest that is there. */
export interface BackendOptionsMapping {
  /** auto takes the fastest that is there. Default: auto. */
  name?: "auto" | "gpu" | "webgpu" | "native" | "wasm" | "cpu" | undefined;
  /**
   * Whether the native backend uses the kernels that thaw backend install compiled for the processor, beside
   * TensorFlow's operations. Default: true.
   */
  kernels?: boolean | undefined;
  /**
   * Whether TensorFlow's backends make compiled functions of operations that belong together (norms, gates, attention).
   * Default: on a GPU where what is left of the run pays for compiling them; not on a processor, which has kernels.
   */
  functions?: boolean | undefined;
  /** On how many threads the WASM backend multiplies. Default: OMP_NUM_THREADS, else one per processor, 16 at most. */
  threads?: number | undefined;
  /**
   * Whether the WebGPU backend may take an adapter that computes on the processor, such as SwiftShader: slow, and good
   * for tests. Default: false.
   */
  fallbackAdapter?: boolean | undefined;
  /** Folder from which npm packages are looked up. Default: the working directory. */
  projectFolder?: string | undefined;
  /** Folder into which thaw backend install puts libraries. Default: a folder of the user's cache. */
  cacheFolder?: string | undefined;
}
