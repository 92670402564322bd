import { completionTable } from "../completion/completion-table.js";
import { completionScript, type Shell } from "../completion/shell-scripts.js";
import type { HostContext } from "../program/context.js";

/** Prints the script that makes a shell complete `thaw`, made of all commands, those of plugins too. */
export async function completion(shell: Shell, { commands, terminal }: HostContext): Promise<number> {
  terminal.out(completionScript(shell, completionTable(await commands())));
  return 0;
}
