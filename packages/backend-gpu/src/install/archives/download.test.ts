import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { download } from "./download.js";
import { readTarball } from "./tar.js";
import { makeTarball, makeZip, sha256 } from "../test-files.js";
import { extractEntry, readZipDirectory } from "./zip.js";

const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
let folder: string;
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const ranges: (string | undefined)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-download-"));
  ranges.length = 0;
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const options = (sum = sha256(content)) => ({
  url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.whl`,
  target: join(folder, "into", "file.whl"),
  bytes: content.length,
  sha256: sum,
});
const whole = (_: IncomingMessage, response: ServerResponse): void => void response.end(content);
const ranged = (request: IncomingMessage, response: ServerResponse): void => {
  const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  response.statusCode = from > 0 ? 206 : 200;
  response.end(content.subarray(from));
};

test("downloads, reports bytes, and asks nothing the second time", async () => {
  answer = whole;
  const seen: number[] = [];
  await download({ ...options(), onBytes: (done) => seen.push(done) });
  expect(readFileSync(options().target)).toEqual(content);
  expect(seen.at(-1)).toBe(content.length);
  await download(options());
  expect(ranges).toHaveLength(1);
});

test("goes on where the connection was lost", async () => {
  answer = (_, response) => {
    response.writeHead(200, { "Content-Length": content.length });
    response.write(content.subarray(0, 40_000), () => setTimeout(() => response.destroy(), 50));
  };
  await expect(download(options())).rejects.toMatchObject({ code: "THAW_INSTALL_WHEEL_UNREACHABLE" });
  const kept = readFileSync(`${options().target}.part`).length;
  expect(kept).toBeGreaterThan(0);
  answer = ranged;
  await download(options());
  expect(ranges).toEqual([undefined, `bytes=${kept}-`]);
  expect(readFileSync(options().target)).toEqual(content);
});

test("begins anew where the server knows no ranges", async () => {
  answer = whole;
  await download(options());
  rmSync(options().target);
  writeFileSync(`${options().target}.part`, content.subarray(0, 1000));
  await download(options());
  expect(readFileSync(options().target)).toEqual(content);
});

test("refuses a file with another checksum and forgets it", async () => {
  answer = whole;
  await expect(download(options("0".repeat(64)))).rejects.toMatchObject({ code: "THAW_INSTALL_WHEEL_BROKEN" });
  expect(existsSync(options().target)).toBe(false);
  expect(existsSync(`${options().target}.part`)).toBe(false);
});

test("says what the server answered", async () => {
  answer = (_, response) => {
    response.statusCode = 404;
    response.end();
  };
  await expect(download(options())).rejects.toThrow(/could not fetch .*file\.whl: the server answered 404/);
});

test("ends a download that is longer than it should be", async () => {
  answer = (_, response) => void response.end(Buffer.concat([content, content]));
  await expect(download(options())).rejects.toThrow(/the server sends more than \d+ bytes/);
});

test("reads and checks members of a zip file without the rest", async () => {
  const file = join(folder, "a.whl");
  const zip = makeZip({ "a/one.txt": Buffer.from("one"), "b/two.bin": content });
  writeFileSync(file, zip);
  const directory = await readZipDirectory(file);
  expect([...directory.keys()]).toEqual(["a/one.txt", "b/two.bin"]);
  await extractEntry(file, directory.get("b/two.bin")!, join(folder, "out", "two.bin"));
  expect(readFileSync(join(folder, "out", "two.bin"))).toEqual(content);

  const changed = Buffer.from(content);
  changed[0]! ^= 1;
  writeFileSync(join(folder, "out", "two.bin"), changed);
  await extractEntry(file, directory.get("b/two.bin")!, join(folder, "out", "two.bin"));
  expect(readFileSync(join(folder, "out", "two.bin"))).toEqual(content);

  await expect(
    extractEntry(file, { ...directory.get("b/two.bin")!, crc32: 1 }, join(folder, "out", "bad.bin")),
  ).rejects.toMatchObject({ code: "THAW_INSTALL_WHEEL_BROKEN" });
  expect(existsSync(join(folder, "out", "bad.bin"))).toBe(false);
  writeFileSync(file, zip.subarray(0, zip.length - 30));
  await expect(readZipDirectory(file)).rejects.toMatchObject({ code: "THAW_INSTALL_WHEEL_BROKEN" });
});

test("reads the files of an npm tarball", () => {
  const files = readTarball(makeTarball({ "package.json": "{}", "dist/index.js": "x".repeat(600) }));
  expect([...files].map(([name, bytes]) => [name, bytes.length])).toEqual([
    ["package/package.json", 2],
    ["package/dist/index.js", 600],
  ]);
});
