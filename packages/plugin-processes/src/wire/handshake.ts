import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { ByteStream } from "./byte-stream.js";

/** What a connection is for: messages with rank 0, or numbers from the rank before. */
export type Purpose = "messages" | "numbers";

/** Who connected, and what for. */
export interface Visitor {
  readonly stream: ByteStream;
  readonly rank: number;
  readonly purpose: Purpose;
}

/** Of version 1 of this protocol. */
const PROTOCOL = "thaw-processes-1";
const HELLO_BYTES = 1024;
const HANDSHAKE_MS = 10_000;

/**
 * Proves to each other that both know the token, without telling it: each answers the other's random number by an HMAC
 * (RFC 2104, SHA-256) of it. Rejects, and closes, where the other side does not.
 */
export async function greet(socket: Socket, token: string, mine: Omit<Visitor, "stream">): Promise<ByteStream> {
  return withinTime(socket, async (stream) => {
    const nonce = randomBytes(16).toString("hex");
    stream.writeMessage({ protocol: PROTOCOL, ...mine, nonce });
    const answer = fields(await stream.readMessage(HELLO_BYTES));
    if (!isProof(answer["proof"], token, `host ${nonce} ${mine.rank} ${mine.purpose}`))
      throw new Error("the one that listens there does not know this run's token");
    stream.writeMessage({ proof: proof(token, `guest ${String(answer["nonce"])} ${mine.rank} ${mine.purpose}`) });
    const { welcome } = fields(await stream.readMessage(HELLO_BYTES)) as { welcome?: unknown };
    if (welcome !== true) throw new Error("the one that listens there did not accept this process");
  });
}

/** The other side of {@link greet}. `accepts` says whether a visitor is awaited. */
export async function receive(
  socket: Socket,
  token: string,
  accepts: (visitor: Omit<Visitor, "stream">) => boolean,
): Promise<Visitor> {
  let visitor: Omit<Visitor, "stream"> | undefined;
  const stream = await withinTime(socket, async (given) => {
    const { protocol, rank, purpose, nonce } = fields(await given.readMessage(HELLO_BYTES));
    if (protocol !== PROTOCOL || !Number.isSafeInteger(rank)) throw new Error("a stranger");
    const one = { rank: rank as number, purpose: purpose as Purpose };
    const own = randomBytes(16).toString("hex");
    given.writeMessage({ nonce: own, proof: proof(token, `host ${String(nonce)} ${one.rank} ${one.purpose}`) });
    const answer = fields(await given.readMessage(HELLO_BYTES));
    if (!isProof(answer["proof"], token, `guest ${own} ${one.rank} ${one.purpose}`)) throw new Error("a wrong token");
    if (!accepts(one)) throw new Error("a rank that is here already");
    given.writeMessage({ welcome: true });
    visitor = one;
  });
  return { stream, ...visitor! };
}

async function withinTime(socket: Socket, work: (stream: ByteStream) => Promise<void>): Promise<ByteStream> {
  const stream = new ByteStream(socket);
  const timer = setTimeout(() => socket.destroy(new Error("no answer")), HANDSHAKE_MS);
  try {
    await work(stream);
    return stream;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function proof(token: string, text: string): string {
  return createHmac("sha256", token).update(text).digest("hex");
}

function isProof(given: unknown, token: string, text: string): boolean {
  const wanted = Buffer.from(proof(token, text));
  const own = Buffer.from(typeof given === "string" ? given : "");
  return own.length === wanted.length && timingSafeEqual(own, wanted);
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
