import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { API_VERSION, definePlugin, defineTracker, type TrackerFactory } from "@thaw/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { resolveConfig, type ResolvedConfig, type ResolveOptions } from "./resolve-config.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-config-"));
  process.env["THAW_TEST_TOKEN"] = "swordfish-0815";
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  delete process.env["THAW_TEST_TOKEN"];
});

const server = defineTracker({
  type: "server",
  summary: "Tells a server.",
  schema: z.strictObject({
    type: z.literal("server"),
    token: z.string().optional(),
    everySteps: z.number().default(1),
    place: z.string().meta({ format: "path" }).optional(),
  }),
  make: () => ({ record: () => undefined }),
});
const provider = definePlugin({
  name: "Server",
  apiVersion: API_VERSION,
  provides: { trackers: [server as TrackerFactory] },
});

function resolve(trackers: string, options: Partial<ResolveOptions> = {}): Promise<ResolvedConfig> {
  writeFileSync(join(folder, "thaw.config.yaml"), `trackers:\n${trackers}`);
  const builtins = [provider] as ResolveOptions["builtins"];
  return resolveConfig({ folder, config: ".", requires: "nothing", builtins, ...options });
}

it("gives trackers the values of secrets, and the saved config their names; paths are absolute", async () => {
  const given = "  - { type: server, token: { env: THAW_TEST_TOKEN }, every_steps: 2, place: ./here }\n";
  const { values, saved, settings, findings } = await resolve(given);
  expect(findings).toEqual([]);
  const place = join(folder, "here");
  expect(values.trackers).toEqual([{ type: "server", token: "swordfish-0815", everySteps: 2, place }]);
  expect(saved["trackers"]).toEqual([{ type: "server", token: { env: "THAW_TEST_TOKEN" }, everySteps: 2, place }]);
  expect(JSON.stringify([saved, settings])).not.toContain("swordfish");
});

it.each<[string, string, Partial<ResolveOptions>, RegExp]>([
  [
    "an option that there is not",
    "  - { type: server, tokn: x }\n",
    {},
    /Unknown key tokn.*nearest known key is token/,
  ],
  ["a type that nobody provides", "  - { type: sever }\n", {}, /trackers\.0\.type is "sever"/],
  ["a variable that is not set", "  - { type: server, token: { env: THAW_TEST_NONE } }\n", {}, /which is not set/],
  [
    "a variable that data names",
    "  - { type: server, token: { env: THAW_TEST_TOKEN } }\n",
    { isData: true },
    /the config of a run is data/,
  ],
])("says what is wrong with %s", async (_, given, options, message) => {
  const { findings } = await resolve(given, options);
  expect(findings[0]?.message).toMatch(message);
});
