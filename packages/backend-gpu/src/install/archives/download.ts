import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { makeFolders } from "@thaw/core";
import { wheelBroken, wheelUnreachable } from "../../errors.js";

/** What is told while bytes come in. */
export type OnBytes = (received: number, total: number) => void;

export interface DownloadOptions {
  readonly url: string;
  /**
   * Appears when it is complete and its checksum is right; until then there is `<target>.part`, from which a later call
   * goes on.
   */
  readonly target: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly onBytes?: OnBytes;
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
}

/**
 * Downloads a file, going on where an earlier call stopped. @throws THAW_INSTALL_WHEEL_UNREACHABLE,
 * THAW_INSTALL_WHEEL_BROKEN
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { target, bytes, sha256 } = options;
  if ((await sizeOf(target)) === bytes && (await sha256Of(target)) === sha256) return;
  await makeFolders(dirname(target));
  const part = `${target}.part`;
  if ((await sizeOf(part)) > bytes) await rm(part);
  if ((await sizeOf(part)) < bytes) await receive(options, part);
  if ((await sha256Of(part)) !== sha256) {
    await rm(part);
    throw wheelBroken({ file: target, reason: "its sha256 is not the one that this version of Thaw expects" });
  }
  await rename(part, target);
}

async function receive(
  { url, target, bytes, onBytes, signal, fetch: request = fetch }: DownloadOptions,
  part: string,
): Promise<void> {
  let received = await sizeOf(part);
  try {
    const response = await request(url, { headers: received > 0 ? { Range: `bytes=${received}-` } : {}, signal });
    if (!response.ok || response.body === null)
      throw new Error(`the server answered ${response.status} ${response.statusText}`);
    if (response.status !== 206) received = 0;
    const count = new Transform({
      transform(chunk: Buffer, _, done) {
        received += chunk.length;
        onBytes?.(received, bytes);
        done(received > bytes ? new Error(`the server sends more than ${bytes} bytes`) : null, chunk);
      },
    });
    await pipeline(
      Readable.fromWeb(response.body as ReadableStream),
      count,
      createWriteStream(part, { flags: received > 0 ? "a" : "w" }),
    );
  } catch (error) {
    throw wheelUnreachable({ file: target, reason: reasonOf(error) }, error);
  }
  if (received < bytes)
    throw wheelUnreachable({ file: target, reason: `the connection closed after ${received} of ${bytes} bytes` });
}

/** sha256 of a file, hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
