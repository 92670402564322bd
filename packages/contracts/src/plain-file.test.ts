import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileInFolder, makeFolders, makeFoldersSync, readPlainFile } from "./plain-file.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-plain-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("a file that may be anything", () => {
  it("is read, up to a limit", async () => {
    writeFileSync(join(folder, "a"), "text");
    expect((await readPlainFile(join(folder, "a"), 4)).toString()).toBe("text");
    await expect(readPlainFile(join(folder, "a"), 3)).rejects.toThrow("it has 4 bytes, and at most 3 are read");
    await expect(readPlainFile(join(folder, "b"), 3)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.skipIf(process.platform === "win32")("is refused where it is not a file, at once", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await expect(readPlainFile(join(folder, "pipe"), 9)).rejects.toThrow("it is a pipe, not a file");
    await expect(readPlainFile("/dev/zero", 9)).rejects.toThrow("it is a device, not a file");
    await expect(readPlainFile(folder, 9)).rejects.toThrow("it is a folder, not a file");
    const server = createServer().listen(join(folder, "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    await expect(readPlainFile(join(folder, "socket"), 9)).rejects.toThrow();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("a file of a folder", () => {
  it("may be a link in it or into the hub's cache, and not elsewhere", async () => {
    const model = join(folder, "models--a--b", "snapshots", "1");
    const blob = join(folder, "models--a--b", "blobs", "0123456789abcdef0123456789abcdef01234567");
    mkdirSync(model, { recursive: true });
    mkdirSync(join(blob, ".."));
    writeFileSync(blob, "");
    writeFileSync(join(model, "real"), "");
    writeFileSync(join(folder, "secret"), "");
    symlinkSync("real", join(model, "inner"));
    symlinkSync(blob, join(model, "hub"));
    symlinkSync("../../../secret", join(model, "outer"));
    for (const name of ["real", "inner", "hub"]) expect(await fileInFolder(model, name)).toBe(join(model, name));
    await expect(fileInFolder(model, "outer")).rejects.toThrow(/a link to \.\.\/\.\.\/\.\.\/secret, outside/);
    await expect(fileInFolder(model, "absent")).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("folders", () => {
  it("are made with those above them, and stay where they are there", async () => {
    await makeFolders(join(folder, "a", "b", "c"));
    await Promise.all([makeFolders(join(folder, "a", "b", "d")), makeFolders(join(folder, "a", "b", "d"))]);
    await makeFolders("/");
    for (const part of [
      ["s", "b"],
      ["s", "b"],
      ["s", "c"],
    ])
      makeFoldersSync(join(folder, ...part));
    expect(readdirSync(join(folder, "a", "b"))).toEqual(["c", "d"]);
    writeFileSync(join(folder, "file"), "");
    expect(() => makeFoldersSync(join(folder, "file", "x"))).toThrow(/EEXIST|ENOTDIR/);
    await expect(makeFolders(join(folder, "file"))).rejects.toMatchObject({ code: "EEXIST" });
    await expect(makeFolders(join(folder, "file", "x"))).rejects.toMatchObject({ code: "ENOTDIR" });
  });

  // Node's own mkdir of all folders never ends here.
  it.runIf(process.platform === "linux")("are refused where a file system makes none", async () => {
    await expect(makeFolders("/proc/thaw/x")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
