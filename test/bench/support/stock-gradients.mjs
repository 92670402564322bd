import { createRequire, register } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Registers TensorFlow.js' own gradients, which `tf.grad` needs. They come with the package `@tensorflow/tfjs` (and its
 * layers, which Thaw does not use) or from `tfjs-core/dist`, whose ES modules lack extensions and a type; hence the
 * resolver. Registries are global.
 */
export async function registerStockGradients() {
  const folder = pathToFileURL(
    `${dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-core/package.json"))}/`,
  ).href;
  const hooks = `
    import { existsSync } from "node:fs";
    const inside = (url) => url?.startsWith(${JSON.stringify(folder)});
    export async function resolve(specifier, context, next) {
      if (!inside(context.parentURL) || !specifier.startsWith(".")) return next(specifier, context);
      const url = new URL(specifier, context.parentURL);
      const withEnd = new URL(url.href + ".js");
      const found = existsSync(withEnd) ? withEnd : new URL(url.href + "/index.js");
      const file = url.href.endsWith(".js") ? url : found;
      return { url: file.href, format: "module", shortCircuit: true };
    }
    export async function load(url, context, next) {
      return next(url, inside(url) ? { ...context, format: "module" } : context);
    }`;
  register(`data:text/javascript,${encodeURIComponent(hooks)}`);
  await import(`${folder}dist/register_all_gradients.js`);
}
