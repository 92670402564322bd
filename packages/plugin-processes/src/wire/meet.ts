import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { cannotListen, notAllCame } from "../errors.js";
import type { ByteStream } from "./byte-stream.js";
import { deferred } from "./deferred.js";
import { isLoopback } from "./loopback.js";
import { greet, receive } from "./handshake.js";

/** Where and how processes meet. */
export interface Meeting {
  readonly rank: number;
  readonly size: number;
  readonly address: string;
  readonly port: number;
  readonly token: string;
  /** How long all have to come. */
  readonly waitSeconds: number;
  /** Ends waiting before its time. */
  readonly signal: AbortSignal | undefined;
}

/** Connections of one process with the others, all proven. */
export interface Met {
  /** Of rank 0: with every other rank, by rank; of the others: with rank 0, under 0. */
  readonly messages: ReadonlyMap<number, ByteStream>;
  /** From the rank before, and to the rank behind. */
  readonly before: ByteStream;
  readonly behind: ByteStream;
}

const RETRY_MS = 200;

/**
 * Connects a process with rank 0 and with its neighbours in the ring of ranks. @throws
 * THAW_PROCESSES_NOT_ALL_CAME, THAW_PROCESSES_CANNOT_LISTEN
 */
export async function meet(meeting: Meeting): Promise<Met> {
  const deadline = performance.now() + 1000 * meeting.waitSeconds;
  const lobby = new Lobby(meeting);
  try {
    const port = await lobby.listen();
    const hub = meeting.rank === 0 ? undefined : await reach(meeting, meeting, "messages", deadline);
    hub?.writeMessage({ port });
    const hosts = hub === undefined ? await lobby.introduce(port, deadline) : ((await hub.readMessage()) as Host[]);
    const next = hosts[(meeting.rank + 1) % meeting.size]!;
    const [behind, before] = await Promise.all([reach(meeting, next, "numbers", deadline), lobby.numbers(deadline)]);
    return { messages: hub === undefined ? lobby.messages : new Map([[0, hub]]), before, behind };
  } finally {
    lobby.close();
  }
}

interface Host {
  readonly address: string;
  readonly port: number;
}

/** Who comes to a process. */
class Lobby {
  readonly messages = new Map<number, ByteStream>();
  readonly #meeting: Meeting;
  readonly #server: Server;
  #numbers: ByteStream | undefined;
  #onChange = (): void => undefined;

  constructor(meeting: Meeting) {
    this.#meeting = meeting;
    this.#server = createServer((socket) => void this.#receive(socket));
  }

  /** Rank 0 listens where all look for it, the others anywhere. Resolves to the port. */
  async listen(): Promise<number> {
    const { rank, address, port } = this.#meeting;
    const host = isLoopback(address) ? address : undefined;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port: rank === 0 ? port : 0, ...(host === undefined ? {} : { host }) }, resolve);
    }).catch((cause: unknown) => {
      throw cannotListen(address, port, cause);
    });
    return (this.#server.address() as { readonly port: number }).port;
  }

  /** Rank 0: waits for all, and tells every rank where the others are. */
  async introduce(port: number, deadline: number): Promise<readonly Host[]> {
    const { size, address } = this.#meeting;
    const others = Array.from({ length: size - 1 }, (_, index) => index + 1);
    await this.#until(
      () => this.messages.size === size - 1,
      deadline,
      () => others.filter((rank) => !this.messages.has(rank)),
    );
    const hosts: Host[] = [{ address, port }];
    for (const rank of others) {
      const stream = this.messages.get(rank)!;
      const { port: own } = (await stream.readMessage()) as { readonly port: number };
      const seen = stream.socket.remoteAddress!;
      // One of this very host, which others reach as they reach rank 0
      hosts.push({ address: isLoopback(seen.replace("::ffff:", "")) ? address : seen, port: own });
    }
    for (const stream of this.messages.values()) stream.writeMessage(hosts);
    return hosts;
  }

  /** The connection from the rank before. */
  async numbers(deadline: number): Promise<ByteStream> {
    const { rank, size } = this.#meeting;
    const isThere = (): boolean => this.#numbers !== undefined;
    await this.#until(isThere, deadline, () => [(rank + size - 1) % size]);
    return this.#numbers!;
  }

  close(): void {
    this.#server.close();
  }

  async #receive(socket: Socket): Promise<void> {
    const { token, rank, size } = this.#meeting;
    try {
      const visitor = await receive(socket, token, (one) =>
        one.purpose === "numbers"
          ? this.#numbers === undefined && one.rank === (rank + size - 1) % size
          : rank === 0 && one.rank > 0 && one.rank < size && !this.messages.has(one.rank),
      );
      if (visitor.purpose === "numbers") this.#numbers = visitor.stream;
      else this.messages.set(visitor.rank, visitor.stream);
      this.#onChange();
    } catch {
      // Not one of this run
    }
  }

  async #until(isDone: () => boolean, deadline: number, missing: () => readonly number[]): Promise<void> {
    if (isDone()) return;
    const { promise, resolve, reject } = deferred<undefined>();
    this.#onChange = () => {
      if (isDone()) resolve(undefined);
    };
    const { signal } = this.#meeting;
    const giveUp = (): void => reject(notAllCame(placeOf(this.#meeting), missing(), signal?.reason));
    const timer = setTimeout(giveUp, Math.max(0, deadline - performance.now()));
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted === true) giveUp();
    await promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
    });
  }
}

/** Connects with a rank that may not listen yet. */
async function reach(
  meeting: Meeting,
  { address, port }: Host,
  purpose: "messages" | "numbers",
  deadline: number,
): Promise<ByteStream> {
  for (;;) {
    try {
      const socket = await opened(address, port, deadline);
      return await greet(socket, meeting.token, { rank: meeting.rank, purpose });
    } catch (cause) {
      if (performance.now() + RETRY_MS >= deadline) throw notAllCame(placeOf(meeting), undefined, cause);
      await sleep(RETRY_MS);
    }
  }
}

function opened(host: string, port: number, deadline: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.setTimeout(Math.max(1, deadline - performance.now()), () => socket.destroy(new Error("no answer")));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

function placeOf({ address, port, waitSeconds }: Meeting): Parameters<typeof notAllCame>[0] {
  return { address, port, seconds: waitSeconds };
}
