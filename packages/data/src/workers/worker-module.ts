/**
 * URL under which a worker can import the module that calls this with its `import.meta.url`: itself when compiled, else
 * (a test runner executes `src/x.ts`) its compiled twin `dist/x.js`. The package must be built.
 */
export function workerModuleUrl(url: string): string {
  return url.replace(/\/src\/([^?]*)\.ts(\?.*)?$/, "/dist/$1.js");
}
