import { homedir } from "node:os";
import type { Found, HubContext } from "@thaw/hub";
import { bytesText } from "@thaw/contracts";
import { createProgress, silentProgress } from "../terminal/progress.js";
import type { Terminal } from "../terminal/terminal.js";
import type { Local } from "./hub-names.js";

/** Who is told of downloads. */
export interface HubWatcher {
  /** Absent: nobody is told. */
  readonly terminal?: Terminal;
  readonly isQuiet?: boolean;
}

/** How the hub is asked, as the environment says, with a progress bar on a terminal. */
export async function hubContext({ terminal, isQuiet = false }: HubWatcher): Promise<HubContext> {
  const { hubSettings } = await import("@thaw/hub");
  const settings = await hubSettings(process.env, homedir());
  if (terminal === undefined) return { settings };
  const bar = isQuiet ? silentProgress() : await createProgress(terminal);
  return {
    settings,
    onNote: (text) => terminal.err(text),
    progress: {
      begin: (label, total, done) => bar.begin(label, total, done, bytesText),
      advance: (done) => bar.advance(done),
      end: () => bar.end(),
    },
  };
}

/** What stands for a name: its folder, and `hub:org/name@commit/path`. */
export function localOf({ name: { name, path }, commit, folder }: Found): Local {
  return { name, folder, pinned: `hub:${name}@${commit}${path === undefined ? "" : `/${path}`}` };
}
