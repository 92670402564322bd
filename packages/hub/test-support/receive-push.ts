import type { IncomingMessage, ServerResponse } from "node:http";
import { json, say, type HubServer } from "./hub-server.js";

/** The part of the hub that takes what is pushed: repositories, branches, LFS objects, commits. */
export async function receivePush(
  hub: HubServer,
  url: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = Buffer.concat(parts).toString();
  const token = request.headers.authorization?.replace("Bearer ", "") ?? "";
  if (!hub.tokens.includes(token)) return say(response, token === "" ? 401 : 403, "", "Invalid username or password");
  if (url === "/api/repos/create") {
    const asked = JSON.parse(body) as { name: string; organization: string };
    const name = `${asked.organization}/${asked.name}`;
    if (hub.repositories.has(`models/${name}`)) return say(response, 409, "", "You already created this model repo");
    hub.repositories.set(`models/${name}`, { files: {} });
    hub.created.push(asked);
    return json(response, { url: `${hub.endpoint}/${name}`, id: "1" });
  }
  const [, name = "", action = "", branch = ""] =
    /^\/api\/models\/([^/]+\/[^/]+)\/(preupload|commit|branch)\/([^?]*)/.exec(url) ?? [];
  if (url.endsWith(".git/info/lfs/objects/batch")) return json(response, lfsBatch(hub, body));
  if (action === "branch") return json(response, {});
  if (action === "preupload") {
    const { files } = JSON.parse(body) as { files: readonly { path: string; size: number }[] };
    const mode = (size: number): string => (size > hub.lfsFrom ? "lfs" : "regular");
    return json(response, { files: files.map(({ path, size }) => ({ path, uploadMode: mode(size) })) });
  }
  if (action !== "commit") return say(response, 404, "EntryNotFound", "Not found");
  hub.commits.push({ name, branch, lines: body.split("\n").map((line) => JSON.parse(line) as unknown) });
  json(response, { commitOid: "c".repeat(40), commitUrl: `${hub.endpoint}/${name}/commit/cccc`, hookOutput: "" });
}

function lfsBatch(hub: HubServer, body: string): unknown {
  const { objects } = JSON.parse(body) as { objects: readonly { oid: string; size: number }[] };
  return {
    transfer: "basic",
    objects: objects.map(({ oid, size }) => ({
      oid,
      size,
      // What is there already needs no upload
      ...(hub.uploads.has(oid) ? {} : { actions: { upload: { href: `${hub.storage}/${oid}` } } }),
    })),
  };
}
