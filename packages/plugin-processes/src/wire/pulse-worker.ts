import { createHmac, timingSafeEqual } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { isLoopback } from "./loopback.js";

/** What the thread is started with; `port`: of rank 0's thread, 0 on rank 0. */
export interface PulseData {
  readonly rank: number;
  readonly size: number;
  readonly address: string;
  readonly port: number;
  readonly token: string;
  readonly beatMs: number;
  /** Beats without an answer after which a rank counts as silent. */
  readonly limit: number;
}

/** What the thread says: where it listens, or who is silent. */
export type PulseNews = { readonly port: number } | { readonly silent: number };

const { rank, size, address, port, token, beatMs, limit } = workerData as PulseData;
/** Own beats since a rank was heard: own ones, so that a machine that slept does not count its sleep. */
const since = new Map<number, number>();
const sockets = new Map<number, Socket>();

const tell = (news: PulseNews): void => parentPort!.postMessage(news);
const passOf = (one: number): Buffer => createHmac("sha256", token).update(`pulse ${one}`).digest();

function listenTo(one: number, socket: Socket): void {
  sockets.set(one, socket);
  socket.on("data", () => since.set(one, 0));
  socket.on("error", () => undefined);
}

if (rank === 0) {
  for (let one = 1; one < size; one++) since.set(one, 0);
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("readable", () => {
      const hello = socket.read(36) as Buffer | null;
      const one = hello?.length === 36 ? hello.readUInt32LE() : 0;
      if (one > 0 && one < size && timingSafeEqual(hello!.subarray(4), passOf(one))) listenTo(one, socket);
      else socket.destroy();
    });
  });
  server.listen({ port: 0, ...(isLoopback(address) ? { host: address } : {}) }, () => {
    tell({ port: (server.address() as { readonly port: number }).port });
  });
} else {
  since.set(0, 0);
  const hello = Buffer.alloc(4);
  hello.writeUInt32LE(rank);
  const socket = connect({ host: address, port }, () => socket.write(Buffer.concat([hello, passOf(rank)])));
  listenTo(0, socket);
}

setInterval(() => {
  for (const socket of sockets.values()) if (socket.writable) socket.write(".");
  for (const [one, beats] of since) {
    since.set(one, beats + 1);
    if (beats + 1 === limit) tell({ silent: one });
  }
}, beatMs);
