import type { ByteStream } from "../wire/byte-stream.js";
import { BrokenRing, type Engine } from "./engine.js";

/** Numbers that are added as soon as they are there. */
const PIECE = 2 ** 16;

/**
 * Sums by a ring of connections: each rank adds its part to what comes from the rank before, so that every rank ends up
 * with one part that is whole, and then passes whole parts on (Patarasuk and Yuan, "Bandwidth optimal all-reduce
 * algorithms for clusters of workstations", 2009). Each number travels `2 * (size - 1) / size` times.
 */
export class Ring implements Engine {
  readonly name = "tcp";
  readonly #rank: number;
  readonly #size: number;
  readonly #before: ByteStream;
  readonly #behind: ByteStream;

  constructor(
    rank: number,
    size: number,
    { before, behind }: { readonly before: ByteStream; readonly behind: ByteStream },
  ) {
    this.#rank = rank;
    this.#size = size;
    this.#before = before;
    this.#behind = behind;
  }

  async sum(values: Float32Array): Promise<void> {
    try {
      await this.#sum(values);
    } catch (cause) {
      throw new BrokenRing((this.#rank + this.#size - 1) % this.#size, cause);
    }
  }

  /** Along the ring to its end, the owner: each rank adds its numbers to what comes from the one before. */
  async sumFor(owner: number, values: Float32Array): Promise<void> {
    const left = (owner - this.#rank + this.#size) % this.#size;
    try {
      if (left === this.#size - 1) this.#send(values);
      else await this.#add(values, left === 0 ? undefined : (part) => this.#send(part));
    } catch (cause) {
      throw new BrokenRing((this.#rank + this.#size - 1) % this.#size, cause);
    }
  }

  async close(): Promise<void> {
    this.#behind.end();
    this.#before.end();
  }

  async #sum(values: Float32Array): Promise<void> {
    const [rank, size] = [this.#rank, this.#size];
    const part = (index: number): Float32Array => {
      const at = (((index % size) + size) % size) * values.length;
      return values.subarray(Math.floor(at / size), Math.floor((at + values.length) / size));
    };
    for (let round = 0; round < size - 1; round++) {
      this.#send(part(rank - round));
      await this.#add(part(rank - round - 1));
    }
    for (let round = 0; round < size - 1; round++) {
      this.#send(part(rank - round + 1));
      await this.#before.read(bytesOf(part(rank - round)));
    }
  }

  #send(values: Float32Array): void {
    if (values.length > 0) this.#behind.write(bytesOf(values));
  }

  /** `onPart`: told of each piece once it is added. */
  async #add(values: Float32Array, onPart?: (part: Float32Array) => void): Promise<void> {
    const piece = new Float32Array(Math.min(PIECE, values.length));
    for (let start = 0; start < values.length; start += PIECE) {
      const count = Math.min(PIECE, values.length - start);
      await this.#before.read(bytesOf(piece.subarray(0, count)));
      for (let index = 0; index < count; index++) values[start + index]! += piece[index]!;
      onPart?.(values.subarray(start, start + count));
    }
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
