/**
 * `npm start`: installs and builds where needed, then trains the quickstart: a new projector between a frozen vision
 * tower and a frozen language model, on emoji. Further arguments go to `thaw train`, e.g. `npm start -- --set
 * training.max_steps=50`.
 */
import { join } from "node:path";
import { prepare, root, run } from "./prepare.mjs";

prepare();
const thaw = join(root, "packages", "cli", "bin", "thaw.js");
run(process.execPath, [
  thaw,
  "train",
  join(root, "examples", "emoji-captioner"),
  "--compare-all-trainable",
  ...process.argv.slice(2),
]);
