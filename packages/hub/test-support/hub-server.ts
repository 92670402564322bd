import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { receivePush } from "./receive-push.js";

/** A repository as the server holds it. */
export interface ServedRepository {
  readonly files: Record<string, Uint8Array>;
  /** Commits by branch or tag; `main` is made of the files. */
  readonly revisions?: Record<string, string>;
  /** Only with a token that is in `tokens`, else 401 or 403 as the hub does. */
  readonly access?: "gated" | "private";
  readonly card?: Record<string, unknown>;
}

/** Something that goes wrong once (or `times`) with requests whose address matches. */
export interface Fault {
  readonly match: RegExp;
  times?: number;
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** The connection breaks after so many bytes of the answer. */
  readonly breakAfter?: number;
  /** Other bytes come than those that the hub names. */
  readonly wrong?: boolean;
  /** Ranges are passed over. */
  readonly whole?: boolean;
}

/** A request that came. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly range: string | undefined;
  readonly token: string | undefined;
  readonly place: "hub" | "storage";
}

/** A server that speaks the hub's protocol as far as Thaw uses it, with a second one for what Git LFS stores. */
export interface HubServer {
  readonly endpoint: string;
  readonly storage: string;
  readonly repositories: Map<string, ServedRepository>;
  readonly faults: Fault[];
  readonly seen: Seen[];
  /** What was uploaded, by sha256. */
  readonly uploads: Map<string, Buffer>;
  /** The commits that were pushed: lines of the last request, parsed. */
  readonly commits: { readonly name: string; readonly branch: string; readonly lines: readonly unknown[] }[];
  readonly created: unknown[];
  /** Bytes above which Git LFS keeps a file. */
  readonly lfsFrom: number;
  readonly tokens: readonly string[];
  close(): Promise<void>;
}

const PAGE = 3;

export async function startHub(repositories: Record<string, ServedRepository>): Promise<HubServer> {
  const hub: { -readonly [Key in keyof HubServer]: HubServer[Key] } = {
    endpoint: "",
    storage: "",
    repositories: new Map(Object.entries(repositories)),
    faults: [],
    seen: [],
    uploads: new Map(),
    commits: [],
    created: [],
    lfsFrom: 2000,
    tokens: ["hf_member"],
    close: async () => {
      for (const server of [main, store]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
  const main = await listen((request, response) => answer(hub, request, response));
  const store = await listen((request, response) => answerStorage(hub, request, response));
  hub.endpoint = addressOf(main);
  hub.storage = addressOf(store);
  return hub;
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<Server> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function note(hub: HubServer, request: IncomingMessage, place: Seen["place"]): string {
  const url = decodeURI(request.url ?? "");
  hub.seen.push({
    method: request.method ?? "",
    url,
    range: request.headers.range,
    token: request.headers.authorization,
    place,
  });
  return url;
}

/** The commit that a repository's files make. */
export function commitOfFiles({ files }: ServedRepository): string {
  const hash = createHash("sha1");
  for (const path of Object.keys(files).sort()) hash.update(path).update(files[path]!);
  return hash.digest("hex");
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function gitHash(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

async function answer(hub: HubServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = note(hub, request, "hub");
  if (fails(hub, url, response)) return;
  if (request.method === "POST") return receivePush(hub, url, request, response);
  const [, kind = "models", name = "", what = "", rest = ""] =
    /^\/api\/(models|datasets)\/([^/]+\/[^/]+)\/(revision|tree)\/([^?]*)/.exec(url) ??
    /^\/()((?:datasets\/)?[^/]+\/[^/]+)\/(resolve)\/([^?]*)/.exec(url) ??
    [];
  const full = what === "resolve" ? (name.startsWith("datasets/") ? name : `models/${name}`) : `${kind}/${name}`;
  const repository = hub.repositories.get(full);
  if (repository === undefined || !mayRead(hub, repository, what, request, response)) {
    if (!response.writableEnded) say(response, 404, "RepoNotFound", "Repository not found");
    return;
  }
  const head = commitOfFiles(repository);
  const revisions: Record<string, string> = { main: head, [head]: head, ...repository.revisions };
  const [revision = "", ...path] = what === "resolve" ? rest.split("/") : [decodeURIComponent(rest)];
  if (revisions[revision] === undefined) return say(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
  if (what === "revision")
    return json(response, { _id: "1", id: name, sha: revisions[revision], cardData: repository.card, siblings: [] });
  if (what === "tree") return listTree(hub, repository, url, response);
  const bytes = repository.files[path.map(decodeURIComponent).join("/")];
  if (bytes === undefined) return say(response, 404, "EntryNotFound", "Entry not found");
  if (bytes.length <= hub.lfsFrom) return content(hub, url, bytes, gitHash(bytes), request, response);
  response.writeHead(302, {
    location: `${hub.storage}/${sha256(bytes)}`,
    "x-linked-etag": `"${sha256(bytes)}"`,
    "x-linked-size": String(bytes.length),
  });
  response.end();
}

async function answerStorage(hub: HubServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = note(hub, request, "storage");
  if (fails(hub, url, response)) return;
  if (request.method === "PUT") {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    hub.uploads.set(url.slice(1), Buffer.concat(parts));
    return void response.end();
  }
  const all = [...hub.repositories.values()].flatMap(({ files }) => Object.values(files));
  const bytes = all.find((one) => sha256(one) === url.slice(1));
  if (bytes === undefined) return void response.writeHead(403).end();
  content(hub, url, bytes, sha256(bytes), request, response);
}

/** Metadata of gated repositories is public, their files are not; private ones are hidden. */
function mayRead(
  hub: HubServer,
  { access }: ServedRepository,
  what: string,
  { headers }: IncomingMessage,
  response: ServerResponse,
): boolean {
  const token = headers.authorization?.replace("Bearer ", "");
  if (access === undefined || hub.tokens.includes(token ?? "")) return true;
  if (access === "gated" && what !== "resolve") return true;
  if (access === "gated") say(response, token === undefined ? 401 : 403, "GatedRepo", "Access to it is restricted");
  else say(response, token === undefined ? 401 : 404, "RepoNotFound", "Repository not found");
  return false;
}

function listTree(hub: HubServer, { files }: ServedRepository, url: string, response: ServerResponse): void {
  const start = Number(/cursor=(\d+)/.exec(url)?.[1] ?? 0);
  const paths = Object.keys(files).sort();
  const entries = paths.slice(start, start + PAGE).map((path) => {
    const bytes = files[path]!;
    const isLfs = bytes.length > hub.lfsFrom;
    const lfs = isLfs ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } } : {};
    return { type: "file", path, size: bytes.length, oid: isLfs ? "0".repeat(40) : gitHash(bytes), ...lfs };
  });
  const next = url.replace(/&cursor=\d+/, "");
  if (start + PAGE < paths.length)
    response.setHeader("link", `<${hub.endpoint}${next}&cursor=${start + PAGE}>; rel="next"`);
  json(response, [...(start === 0 ? [{ type: "directory", path: "data", size: 0, oid: "1" }] : []), ...entries]);
}

function takeFault(hub: HubServer, url: string, isMeant: (fault: Fault) => boolean): Fault | undefined {
  const fault = hub.faults.find((one) => one.match.test(url) && isMeant(one) && (one.times ?? 1) > 0);
  if (fault !== undefined) fault.times = (fault.times ?? 1) - 1;
  return fault;
}

function fails(hub: HubServer, url: string, response: ServerResponse): boolean {
  const fault = takeFault(hub, url, ({ status }) => status !== undefined);
  if (fault === undefined) return false;
  response.writeHead(fault.status!, fault.headers).end(JSON.stringify({ error: "as the test wants it" }));
  return true;
}

function content(
  hub: HubServer,
  url: string,
  given: Uint8Array,
  etag: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const fault = takeFault(hub, url, ({ status }) => status === undefined);
  const bytes = fault?.wrong === true ? given.map((byte) => byte ^ 1) : given;
  const [, first = "0", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const isRange = request.headers.range !== undefined && fault?.whole !== true;
  if (isRange && Number(first) >= bytes.length) return void response.writeHead(416).end();
  const end = last === "" ? bytes.length : Math.min(Number(last) + 1, bytes.length);
  const part = isRange ? bytes.subarray(Number(first), end) : bytes;
  response.writeHead(isRange ? 206 : 200, {
    etag: `"${etag}"`,
    "content-length": part.length,
    ...(isRange ? { "content-range": `bytes ${first}-${end - 1}/${bytes.length}` } : {}),
  });
  if (fault?.breakAfter === undefined) return void response.end(part);
  response.write(part.subarray(0, fault.breakAfter), () => setTimeout(() => response.destroy(), 5));
}

export function say(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "x-error-code": code, "x-error-message": message, "content-type": "application/json" });
  response.end(JSON.stringify({ error: message }));
}

export function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}
