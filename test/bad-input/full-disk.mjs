// Loaded by `node --import` in a test: after FULL_DISK_BYTES written through file handles, the disk is full.
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const handle = await open(fileURLToPath(import.meta.url));
const prototype = Object.getPrototypeOf(handle);
await handle.close();
let left = Number(process.env.FULL_DISK_BYTES);

function take(bytes) {
  left -= bytes;
  if (left < 0)
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      errno: -28,
      syscall: "write",
    });
}

const { write, writeFile, appendFile } = prototype;
prototype.write = async function (buffer, ...rest) {
  take(buffer.byteLength ?? Buffer.byteLength(buffer));
  return write.call(this, buffer, ...rest);
};
prototype.writeFile = async function (data, ...rest) {
  take(Buffer.byteLength(data));
  return writeFile.call(this, data, ...rest);
};
prototype.appendFile = async function (data, ...rest) {
  take(Buffer.byteLength(data));
  return appendFile.call(this, data, ...rest);
};
