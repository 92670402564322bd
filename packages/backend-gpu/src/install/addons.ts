import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const NATIVE = fileURLToPath(new URL("../../native/", import.meta.url));

/** Compares kernels with their formulas, and is not part of them. */
const CHECK = "check_kernels.cc";

/** A source file: of `@tensorflow/tfjs-node`, in the installed folder, or Thaw's own. */
export interface AddonSource {
  readonly from: "package" | "thaw";
  readonly file: string;
}

const binding = (file: string): AddonSource => ({ from: "package", file: join("package", "binding", file) });
const thaw = (file: string): AddonSource => ({ from: "thaw", file });

/** Functions of TensorFlow's in whose place thaw_context.cc has its own. */
const WRAPPED = [
  "TFE_NewContext",
  "TFE_TensorHandleCopyToDevice",
  "TFE_OpAddInput",
  "TFE_TensorHandleResolve",
] as const;

/**
 * What is compiled: unchanged sources of `@tensorflow/tfjs-node` with one that remembers their context, and Thaw's
 * switches, functions and kernels beside them.
 */
export const ADDONS = [
  {
    file: "tfjs_binding.node",
    flags: ["-O2", ...WRAPPED.map((name) => `-Wl,--wrap=${name}`)].join(" "),
    sources: [
      binding("tfjs_backend.cc"),
      binding("tfjs_binding.cc"),
      thaw("thaw_context.cc"),
      thaw("thaw_addresses.cc"),
    ],
    isLinked: true,
  },
  { file: "thaw_controls.node", flags: "-O2", sources: [thaw("thaw_controls.cc")], isLinked: false },
  { file: "thaw_functions.node", flags: "-O2", sources: [thaw("thaw_functions.cc")], isLinked: true },
  {
    file: "thaw_kernels.node",
    flags: "-O3 -ffp-contract=fast -pthread",
    sources: [thaw("thaw_kernels.cc"), thaw("kernels/operations.cc"), thaw("kernels/register.cc")],
    isLinked: true,
  },
] as const;

/** Path of a source as the compiler, in the installed folder, finds it. */
export function sourcePath({ from, file }: AddonSource): string {
  return from === "package" ? file : join(NATIVE, file);
}

let known: string | undefined;

/**
 * sha256 over Thaw's own sources and how they are compiled: another one means that installed addons are another
 * version's.
 */
export function addonSourcesHash(): string {
  if (known !== undefined) return known;
  const files = readdirSync(NATIVE, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(cc|h)$/.test(file) && file !== CHECK)
    .toSorted();
  const hash = createHash("sha256").update(JSON.stringify(ADDONS));
  for (const file of files) hash.update(`\n${file}\n`).update(readFileSync(join(NATIVE, file)));
  return (known = hash.digest("hex"));
}
