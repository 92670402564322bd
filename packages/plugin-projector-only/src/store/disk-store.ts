import { float32Bytes, makeFolders } from "@thaw/core";
import { createHash, randomBytes } from "node:crypto";
import { open, readdir, readFile, rename, stat, utimes, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Feature } from "../cache/feature.js";
import { DATA_ENDING, entriesOf, INDEX_ENDING, sumOf, type StoreEntry } from "./entries.js";
import { mergeFiles } from "./merge-files.js";

/** Everything that decides a segment's output besides the item; equal identities share a store. */
export interface StoreIdentity {
  readonly segment: string;
  /** Of the parameters that the segment uses. */
  readonly fingerprint: string;
  /** Of what the segment computes with them: feature layer, activation, ... */
  readonly signature: string;
  readonly backend: string;
  readonly dtype: "F32";
}

interface Location extends Omit<StoreEntry, "key"> {
  readonly file: string;
}

const FORMAT_VERSION = 3;
/** Files of other writers that stay open for reading: descriptors are the whole process's. */
const MAX_OPEN = 32;

/** An open file, and how many reads are under way in it. */
interface Reader {
  readonly handle: Promise<FileHandle>;
  readCount: number;
}

/** Name of the store's folder below the cache folder. */
export function storeFolderName(identity: StoreIdentity): string {
  const hash = createHash("sha256").update(
    JSON.stringify([
      FORMAT_VERSION,
      identity.segment,
      identity.fingerprint,
      identity.signature,
      identity.backend,
      identity.dtype,
    ]),
  );
  return `${identity.segment.replace(/[^\w.-]/g, "_")}-${hash.digest("hex").slice(0, 24)}`;
}

/**
 * Features on disk, shared by runs, also by runs at the same time. Each writer appends to a data file of its own and
 * then one line to that file's index, so a crash loses at most the feature being written: a line without its newline,
 * or one whose checksum does not fit the data, is not an entry. Files: `identity.json`, `<writer>.features` (float32,
 * little-endian), `<writer>.index`; many small ones of writers that are done become one.
 */
export class DiskStore {
  readonly folder: string;
  /** Nothing is written that would take the entries over this. */
  limitBytes = Infinity;
  /** Others write at the same time what this one will ask for: {@link refresh} looks for it. */
  isShared = false;
  readonly #locations = new Map<string, Location>();
  /** The one that was used last is the last. */
  readonly #readers = new Map<string, Reader>();
  readonly #writer = `${process.pid}-${randomBytes(6).toString("hex")}`;
  #writing: Promise<unknown> = Promise.resolve();
  #files: { readonly data: FileHandle; readonly index: FileHandle } | undefined;
  #position = 0;
  #bytes = 0;
  #failure: unknown;
  /** Bytes of other writers' indexes that are read. */
  readonly #indexed = new Map<string, number>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Opens or makes the store of an identity below `root`. Errors of the file system pass through. */
  static async open(root: string, identity: StoreIdentity): Promise<DiskStore> {
    const store = new DiskStore(join(root, storeFolderName(identity)));
    await makeFolders(store.folder);
    const temporary = join(store.folder, `identity.json.${store.#writer}`);
    await writeFile(temporary, `${JSON.stringify({ version: FORMAT_VERSION, ...identity }, null, 2)}\n`);
    await rename(temporary, join(store.folder, "identity.json"));
    await mergeFiles(store.folder, await store.#writers(), `${store.#writer}-merged`);
    await store.#readIndexes();
    const now = new Date();
    await utimes(store.folder, now, now);
    return store;
  }

  get #dataFile(): string {
    return this.#writer + DATA_ENDING;
  }

  get entryCount(): number {
    return this.#locations.size;
  }

  /** Bytes of all entries. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What stopped writing, if something did (a full disk); reading goes on. */
  get failure(): unknown {
    return this.#failure;
  }

  has(key: string): boolean {
    return this.#locations.has(key);
  }

  /** True if another writer made the entry. */
  isForeign(key: string): boolean {
    const location = this.#locations.get(key);
    return location !== undefined && location.file !== this.#dataFile;
  }

  /** Reads what others have added since, where the store is shared. Errors of the file system are passed over. */
  async refresh(): Promise<void> {
    if (this.isShared) await this.#readIndexes().catch(() => undefined);
  }

  /** The feature; undefined if there is none, or if its bytes are not what was written. */
  async read(key: string): Promise<Feature | undefined> {
    const location = this.#locations.get(key);
    if (location === undefined) return undefined;
    const bytes = new Uint8Array(float32Bytes(location.shape));
    try {
      const bytesRead = await this.#readInto(bytes, location);
      if (bytesRead === bytes.length && sumOf(location.shape, bytes) === location.crc)
        return { shape: location.shape, values: new Float32Array(bytes.buffer) };
    } catch {
      // Another process may have cleared the folder; the feature is then computed again.
    }
    this.#forget(key);
    return undefined;
  }

  /** Appends a feature. Never throws: a failure ends writing and is kept in `failure`. */
  async write(key: string, feature: Feature): Promise<void> {
    const write = this.#writing.then(() => this.#append(key, feature));
    this.#writing = write.catch(() => undefined);
    await write.catch((error: unknown) => {
      this.#failure ??= error;
    });
  }

  /** Waits for writes and closes the files. */
  async close(): Promise<void> {
    await this.#writing;
    const readers = await Promise.allSettled([...this.#readers.values()].map(({ handle }) => handle));
    this.#readers.clear();
    for (const reader of readers) if (reader.status === "fulfilled") await reader.value.close();
    await this.#files?.data.close();
    await this.#files?.index.close();
    this.#files = undefined;
  }

  async #append(key: string, feature: Feature): Promise<void> {
    if (
      this.#failure !== undefined ||
      this.#locations.has(key) ||
      this.#bytes + feature.values.byteLength > this.limitBytes
    )
      return;
    this.#files ??= {
      data: await open(join(this.folder, this.#dataFile), "wx"),
      index: await open(join(this.folder, this.#writer + INDEX_ENDING), "ax"),
    };
    const bytes = new Uint8Array(feature.values.buffer, feature.values.byteOffset, feature.values.byteLength);
    for (let done = 0; done < bytes.length;) {
      done += (await this.#files.data.write(bytes, done, bytes.length - done, this.#position + done)).bytesWritten;
    }
    const entry = { key, offset: this.#position, shape: feature.shape, crc: sumOf(feature.shape, bytes) };
    await this.#files.index.appendFile(`${JSON.stringify(entry)}\n`);
    this.#position += bytes.length;
    this.#remember(key, { file: this.#dataFile, ...entry });
  }

  async #readIndexes(): Promise<void> {
    for (const writer of await this.#writers()) {
      const file = writer + DATA_ENDING;
      if (file === this.#dataFile) continue;
      const index = join(this.folder, writer + INDEX_ENDING);
      const before = this.#indexed.get(index) ?? 0;
      // Another process may have merged or cleared the files since they were listed
      const length = await sizeOf(index);
      if (length === undefined || (before > 0 && length === before)) continue;
      const text = (await readFile(index).catch(() => Buffer.alloc(0))).subarray(before);
      // Asked after the index was read: a line's data was whole before the line, but not before it was begun
      const size = await sizeOf(join(this.folder, file));
      if (size === undefined) continue;
      const whole = text.subarray(0, text.lastIndexOf("\n") + 1);
      this.#indexed.set(index, before + whole.length);
      for (const { key, ...entry } of entriesOf(whole.toString("utf8"), size)) this.#remember(key, { file, ...entry });
    }
  }

  /** Whose data and index are both there. */
  async #writers(): Promise<readonly string[]> {
    const files = new Set(await readdir(this.folder));
    return [...files]
      .filter((file) => file.endsWith(INDEX_ENDING))
      .map((file) => file.slice(0, -INDEX_ENDING.length))
      .filter((writer) => files.has(writer + DATA_ENDING));
  }

  #remember(key: string, location: Location): void {
    this.#forget(key);
    this.#locations.set(key, location);
    this.#bytes += float32Bytes(location.shape);
  }

  #forget(key: string): void {
    const location = this.#locations.get(key);
    if (location !== undefined) this.#bytes -= float32Bytes(location.shape);
    this.#locations.delete(key);
  }

  async #readInto(bytes: Uint8Array, { file, offset }: Location): Promise<number> {
    const reader = this.#readers.get(file) ?? { handle: open(join(this.folder, file), "r"), readCount: 0 };
    this.#readers.delete(file);
    this.#readers.set(file, reader);
    reader.readCount += 1;
    try {
      return (await (await reader.handle).read(bytes, 0, bytes.length, offset)).bytesRead;
    } finally {
      reader.readCount -= 1;
      await this.#closeIdle();
    }
  }

  /** Closes the files that were not used for longest, as far as nobody reads in them. */
  async #closeIdle(): Promise<void> {
    for (const [file, { handle, readCount }] of this.#readers) {
      if (this.#readers.size <= MAX_OPEN) return;
      if (readCount > 0) continue;
      this.#readers.delete(file);
      await handle.then((open) => open.close()).catch(() => undefined);
    }
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}
