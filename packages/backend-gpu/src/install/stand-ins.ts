/**
 * Files that take the place of what the addon's package requires, so that none of its 120 dependencies is needed:
 * TensorFlow.js is this process' own tfjs-core (see `TFJS_CORE_KEY` in addon.ts), the protocol buffers are for saved
 * models.
 */
const TFJS = 'module.exports = globalThis[Symbol.for("thaw.tfjs-core")];\n';

/** Path in the backend's folder to content. */
export const STAND_INS: readonly (readonly [string, string])[] = [
  ...["tfjs", "tfjs-core"].flatMap((name) => [
    [
      `node_modules/@tensorflow/${name}/package.json`,
      `${JSON.stringify({ name: `@tensorflow/${name}`, version: "4.22.0", main: "index.js" })}\n`,
    ] as const,
    [`node_modules/@tensorflow/${name}/index.js`, TFJS] as const,
  ]),
  ["package/dist/proto/api_pb.js", "module.exports = {};\n"],
];
