import type { Socket } from "node:net";

interface Reader {
  readonly into: Uint8Array;
  filled: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Most bytes that wait to be read before the other side is held back. */
const QUEUED_BYTES = 2 ** 24;
const HEADER_BYTES = 4;
/** Of what is exchanged as JSON, once the other side is known. */
const MESSAGE_BYTES = 2 ** 28;

/** A connection read by exact counts of bytes, and by messages: JSON behind its length. One reader at a time. */
export class ByteStream {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  #queuedBytes = 0;
  #reader: Reader | undefined;
  #failure: Error | undefined;
  readonly #onClosed: ((cause: Error) => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  /** Told once, also where it is closed already. */
  onClosed(told: (cause: Error) => void): void {
    if (this.#failure === undefined) this.#onClosed.push(told);
    else told(this.#failure);
  }

  /** Fills `into`. Rejects where the connection ends before. */
  read(into: Uint8Array): Promise<void> {
    if (into.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#reader = { into, filled: 0, resolve, reject };
      this.#fill();
      if (this.#reader !== undefined && this.#failure !== undefined) this.#rejectReader(this.#failure);
    });
  }

  /** The bytes must stay as they are until they are gone. */
  write(bytes: Uint8Array): void {
    if (this.#failure === undefined) this.socket.write(bytes);
  }

  /** A JSON value. `maxBytes`: what is read of one who is not known yet. */
  async readMessage(maxBytes = MESSAGE_BYTES): Promise<unknown> {
    const header = Buffer.alloc(HEADER_BYTES);
    await this.read(header);
    const length = header.readUInt32LE();
    if (length > maxBytes) throw new Error(`a message of ${length} bytes`);
    const bytes = Buffer.alloc(length);
    await this.read(bytes);
    return JSON.parse(bytes.toString("utf8")) as unknown;
  }

  writeMessage(value: unknown): void {
    const bytes = Buffer.from(JSON.stringify(value), "utf8");
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(bytes.length);
    this.write(Buffer.concat([header, bytes]));
  }

  /** Ends the connection after what was written. */
  end(): void {
    this.socket.end();
    this.socket.unref();
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#queuedBytes += chunk.length;
    this.#fill();
    if (this.#queuedBytes > QUEUED_BYTES) this.socket.pause();
  }

  #fill(): void {
    const reader = this.#reader;
    while (reader !== undefined && reader.filled < reader.into.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const count = Math.min(chunk.length, reader.into.length - reader.filled);
      reader.into.set(count === chunk.length ? chunk : chunk.subarray(0, count), reader.filled);
      reader.filled += count;
      this.#queuedBytes -= count;
      if (count === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(count);
    }
    if (this.#queuedBytes <= QUEUED_BYTES && this.socket.isPaused()) this.socket.resume();
    if (reader === undefined || reader.filled < reader.into.length) return;
    this.#reader = undefined;
    reader.resolve();
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#rejectReader(error);
    for (const told of this.#onClosed.splice(0)) told(error);
  }

  #rejectReader(error: Error): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.reject(error);
  }
}
