/**
 * Bundles the commands that only plan into dist/planning.bundle.js, with the licences of what is in it beside it. Needs
 * a build of all packages. Modules that planning never calls (image decoding, tokenizers, backends, loaders of code)
 * are left out: a stand-in throws.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const dist = fileURLToPath(new URL("dist/", import.meta.url));
/** Everything else that is not a package of ours is left out. */
const BUNDLED = new RegExp(
  "^(zod|yaml|tapable|cosmiconfig|js-yaml|argparse|parse-json|import-fresh|env-paths|picocolors" +
    "|@tensorflow/tfjs-core|@thaw/.*)$",
);
const LEFT_OUT = "\0left-out";

const packageName = (id) => /^((?:@[^/]+\/)?[^/.][^/]*)/.exec(id)?.[1];
const leaveOut = {
  name: "leave-out",
  resolveId(id, importer, { kind }) {
    // What a plugin's commands load when they run, and trackers with a run: planning has none.
    if (kind === "dynamic-import" && /[\\/](commands|plugin-trackers[\\/]dist)[\\/]/.test(importer ?? ""))
      return { id: `${LEFT_OUT}:${id}` };
    // Of a config that names nothing on the hub it is never loaded
    if (id === "@thaw/hub") return { id, external: true };
    if (id.startsWith("node:") || id.startsWith(".") || id.startsWith("/") || id.startsWith("\0")) return null;
    const name = packageName(id);
    return name === undefined || builtinModules.includes(name) || BUNDLED.test(name)
      ? null
      : { id: `${LEFT_OUT}:${id}`, moduleSideEffects: false };
  },
  load(id) {
    if (!id.startsWith(LEFT_OUT)) return null;
    return {
      code:
        "module.exports = new Proxy(function () {}, { get() { throw new " +
        `Error(${JSON.stringify(`${id.slice(LEFT_OUT.length + 1)} is not part of the planning bundle.`)}); } });`,
      moduleType: "js",
    };
  },
};

const build = await rolldown({
  input: `${dist}planning/planning.js`,
  platform: "node",
  plugins: [leaveOut],
  resolve: { mainFields: ["module", "main"] },
  treeshake: {
    moduleSideEffects: (id) =>
      !/[\\/](tfjs-core|autograd|zod|models|core|data|config|cli|contracts|safetensors)[\\/]/.test(id) ||
      /[\\/]models[\\/]dist[\\/]open[\\/]families\.js$/.test(id),
  },
  logLevel: "silent",
});
const { output } = await build.write({
  file: `${dist}planning.bundle.js`,
  format: "esm",
  comments: { legal: true },
  codeSplitting: false,
});
writeFileSync(`${dist}planning.bundle.licenses.txt`, licenses(output[0].moduleIds ?? Object.keys(output[0].modules)));

/** Licence texts of the packages that are in the bundle, ours left out. */
function licenses(ids) {
  const folders = new Set();
  for (const id of ids) {
    if (id.startsWith("\0") || !existsSync(id)) continue;
    let folder = dirname(realpathSync(id));
    while (
      !existsSync(join(folder, "package.json")) ||
      JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name === undefined
    )
      folder = dirname(folder);
    folders.add(folder);
  }
  return [...folders]
    .sort((left, right) => (left < right ? -1 : 1))
    .flatMap((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (name.startsWith("@thaw/")) return [];
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      return [
        `${name} ${version} (${license})\n\n${file === undefined ? "" : readFileSync(join(folder, file), "utf8")}`,
      ];
    })
    .join(`\n${"-".repeat(80)}\n`);
}
