import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startHub, type HubServer } from "../test-support/hub-server.js";
import { writeHeaders } from "./headers.js";
import { parseHubName } from "./repository.js";
import { HASTY } from "./request.js";
import { MODEL_FILES } from "./selection.js";
import { fetchSnapshot, findSnapshot } from "./snapshot.js";

/** A safetensors file with a header of that length, and zeros behind it. */
function weights(headerLength: number, dataLength: number): Uint8Array {
  const bytes = new Uint8Array(8 + headerLength + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(32, 8, 8 + headerLength);
  return bytes.fill(7, 8 + headerLength);
}

const FILES = { "config.json": new TextEncoder().encode("{}"), "model.safetensors": weights(300_000, 500_000) };
let hub: HubServer;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-headers-"));
  hub = await startHub({ "models/org/big": { files: FILES } });
});
afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

it.each([
  ["by two ranges where a header is long", {}, 2],
  ["also from a server that passes ranges over", { whole: true, times: 2 }, 2],
])("reads headers alone, %s, and then what is in the cache", async (_, fault, requests) => {
  hub.faults.push({ match: /^\/[0-9a-f]{64}$/, ...fault, times: "times" in fault ? fault.times : 0 });
  const settings = { endpoint: hub.endpoint, cache: join(folder, "cache"), isOffline: false };
  const context = { settings, patience: HASTY };
  const name = parseHubName("org/big", "model");
  await writeHeaders(await findSnapshot(name, MODEL_FILES, context), folder, context);
  const place = join(folder, "model.safetensors");
  expect((await stat(place)).size).toBe(FILES["model.safetensors"].length);
  const written = await readFile(place);
  expect(written.subarray(0, 300_008).equals(FILES["model.safetensors"].subarray(0, 300_008))).toBe(true);
  expect(written.subarray(300_008).every((byte) => byte === 0)).toBe(true);
  expect(hub.seen.filter(({ place: at }) => at === "storage").length).toBe(requests);

  await rm(place);
  await rm(join(folder, "config.json"));
  await fetchSnapshot(name, MODEL_FILES, context);
  await writeHeaders(await findSnapshot(name, MODEL_FILES, context), folder, context);
  expect((await readFile(place)).equals(FILES["model.safetensors"])).toBe(true);
});
