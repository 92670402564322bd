/** Where records lie in a file: a table that grows, 12 bytes per record. */
export class Places {
  #starts = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  count = 0;

  add(start: number, end: number): void {
    if (this.count === this.#starts.length) {
      this.#starts = grown(this.#starts, new Float64Array(2 * this.count));
      this.#lengths = grown(this.#lengths, new Uint32Array(2 * this.count));
    }
    this.#starts[this.count] = start;
    this.#lengths[this.count] = end - start;
    this.count += 1;
  }

  startOf(index: number): number {
    return this.#starts[index]!;
  }

  lengthOf(index: number): number {
    return this.#lengths[index]!;
  }
}

function grown<Table extends Float64Array | Uint32Array>(from: Table, into: Table): Table {
  into.set(from);
  return into;
}
