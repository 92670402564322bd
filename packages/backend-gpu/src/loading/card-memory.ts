import { env } from "node:process";
import { type RunCommand, runCommand } from "../install/command.js";

/**
 * Bytes that are free on the card that this process computes on, as its driver's `nvidia-smi` says: the first of
 * `CUDA_VISIBLE_DEVICES`, else of all. Undefined where nothing can be asked. To be asked before TensorFlow starts,
 * whose own part of the card is not free any more.
 */
export async function freeCardBytes(
  visible: string | undefined = env["CUDA_VISIBLE_DEVICES"],
  run: RunCommand = runCommand,
): Promise<number | undefined> {
  const first = visible?.split(",")[0]?.trim() ?? "";
  const card = first === "" ? "0" : first;
  const { exitCode, stdout } = await run("nvidia-smi", [
    `--id=${card}`,
    "--query-gpu=memory.free",
    "--format=csv,noheader,nounits",
  ]);
  const mebibytes = Number.parseInt(stdout, 10);
  return exitCode === 0 && mebibytes > 0 ? mebibytes * 2 ** 20 : undefined;
}
