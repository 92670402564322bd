/** Backends that are compiled on the user's machine. */
export type InstallableBackend = "native" | "gpu";

/** A wheel that carries TensorFlow's library: which, and the checksum that it must have. */
export interface WheelRecipe {
  readonly project: string;
  readonly version: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Version of TensorFlow's library. */
export const TENSORFLOW_VERSION = "2.21.0";
/** Version of `@tensorflow/tfjs-node`, whose addon is compiled against it; equal to tfjs-core's. */
export const ADDON_VERSION = "4.22.0";

/** The wheels of PyPI; the Python version in their names does not matter, since no Python of theirs runs. */
export const WHEELS: Readonly<Record<InstallableBackend | "cudaRuntime", WheelRecipe>> = Object.freeze({
  native: {
    project: "tensorflow-cpu",
    version: TENSORFLOW_VERSION,
    file: "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl",
    bytes: 273_829_956,
    sha256: "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
  },
  gpu: {
    project: "tensorflow",
    version: TENSORFLOW_VERSION,
    file: "tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl",
    bytes: 572_440_367,
    sha256: "9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124",
  },
  cudaRuntime: {
    project: "nvidia-cuda-runtime-cu12",
    version: "12.9.79",
    file: "nvidia_cuda_runtime_cu12-12.9.79-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    bytes: 3_493_179,
    sha256: "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3",
  },
});

/** The libraries, and the headers that the addon's source includes (as `g++ -MM` lists them). */
export const WHEEL_LIBRARIES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"] as const;
export const WHEEL_HEADERS = [
  "tensorflow/c/c_api.h",
  "tensorflow/c/c_api_macros.h",
  "tensorflow/c/eager/c_api.h",
  "tensorflow/c/tf_attrtype.h",
  "tensorflow/c/tf_buffer.h",
  "tensorflow/c/tf_datatype.h",
  "tensorflow/c/tf_status.h",
  "tensorflow/c/tf_tensor.h",
  "tensorflow/c/tf_tstring.h",
  "tensorflow/core/platform/ctstring.h",
  "tensorflow/core/platform/ctstring_internal.h",
  "tsl/platform/ctstring.h",
  "tsl/platform/ctstring_internal.h",
  "xla/tsl/c/tsl_status.h",
] as const;

/** npm packages whose sources are used, with the checksums of their tarballs. */
export const NPM_PACKAGES = Object.freeze({
  addon: {
    name: "@tensorflow/tfjs-node",
    version: ADDON_VERSION,
    integrity: "sha512-uHrXeUlfgkMxTZqHkESSV7zSdKdV0LlsBeblqkuKU9nnfxB1pC6DtoyYVaLxznzZy7WQSegjcohxxCjAf6Dc7w==",
  },
  headers: {
    name: "node-api-headers",
    version: "1.9.0",
    integrity: "sha512-2oNILP4jXwRB4ywnYKjVk1YyJ96n2D4EOVJO6S3oYZ5PtbJrw3Yt9TpAuX3nBLMuzn74rnfGQrv13pS9vC+YiA==",
  },
});
