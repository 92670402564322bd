import { Worker } from "node:worker_threads";
import type { Messages } from "./messages.js";
import type { PulseData, PulseNews } from "./pulse-worker.js";

const BEAT_MS = 2000;
/** 40 s: a process that stands still, or a host that is cut off, is told before a minute is over. */
const LIMIT = 20;

/**
 * Beats beside the run, in a thread of its own since a step may take the main one for minutes, and tells `messages` of
 * ranks that are not heard any more. Connections that end say so themselves. Resolves to what ends it.
 */
export async function startPulse(
  messages: Messages,
  { address, token }: { readonly address: string; readonly token: string },
): Promise<() => Promise<void>> {
  const { rank, size } = messages;
  const start = (port: number): Worker => {
    const workerData: PulseData = { rank, size, address, port, token, beatMs: BEAT_MS, limit: LIMIT };
    const file = import.meta.url.replace(/\/src\/wire\/pulse\.ts.*$/, "/dist/wire/pulse.js");
    const worker = new Worker(new URL("pulse-worker.js", file), { workerData, execArgv: [] });
    worker.unref();
    // Without the thread a rank that stands still is not told; all else goes on
    worker.on("error", () => undefined);
    worker.on("message", (news: PulseNews) => {
      if ("silent" in news)
        messages.lose({ rank: news.silent, reason: `nothing was heard of it for ${(BEAT_MS * LIMIT) / 1000} s` });
    });
    return worker;
  };
  let own: Worker | undefined;
  let port = 0;
  if (rank === 0) {
    own = start(0);
    port = await new Promise<number>((resolve) => {
      own!.on("message", (news: PulseNews) => void ("port" in news && resolve(news.port)));
      own!.on("error", () => resolve(0));
    });
  }
  const [found] = await messages.gather(port);
  if (rank !== 0 && found !== 0) own = start(found!);
  return async () => void (await own?.terminate());
}
