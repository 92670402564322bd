import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { livePartsOf, renderLivePage } from "../page/page.js";
import { readRun } from "../run/read-run.js";
import type { RunData } from "../run/run-data.js";

/** What a live page shows and does. */
export interface LivePageOptions {
  /** The run's name until it has a folder. */
  readonly name: string;
  /** The run's folder, once there is one. */
  readonly folder: () => string | undefined;
  /** The page's button was pressed. */
  readonly onStop: () => void;
}

/** A page that shows a run while it goes on. */
export interface LivePage {
  /** On this machine alone, with the token that reading and stopping need. */
  readonly address: string;
  /** Something happened: viewers are told soon. */
  changed(): void;
  /** Tells viewers how it ended, in a sentence, shows them the run as it is now, and closes. */
  end(text: string): Promise<void>;
}

const SOON_MS = 1000;
/** Reading and rendering take at most this part of the time, but for runs of which news would come too seldom. */
const SHARE = 0.1;
const SELDOM_MS = 5000;
const HEADERS = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'; " +
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
};
const ANSWERS = {
  403: "The token is missing or wrong.\n",
  404: "There is nothing here.\n",
  500: "The run's folder could not be read.\n",
} as const;

/** Serves the page on loopback until it is ended. Nothing is read or rendered while nobody looks. */
export async function serveLivePage({ name, folder, onStop }: LivePageOptions): Promise<LivePage> {
  const token = randomBytes(24).toString("base64url");
  /** What each viewer has, by part. */
  const viewers = new Map<ServerResponse, Map<string, string>>();
  let timer: NodeJS.Timeout | undefined;
  let waitMs = SOON_MS;
  const now = async (): Promise<RunData> => {
    const place = folder();
    return place === undefined ? unbegun(name) : readRun(place);
  };
  const tell = async (): Promise<void> => {
    const start = performance.now();
    const parts = await livePartsOf(await now());
    waitMs = Math.min(SELDOM_MS, Math.max(SOON_MS, (performance.now() - start) / SHARE));
    for (const [viewer, known] of viewers) {
      const fresh = [...parts].filter(([id, text]) => known.get(id) !== text);
      for (const [id, text] of fresh) known.set(id, text);
      if (fresh.length > 0) send(viewer, "parts", JSON.stringify(Object.fromEntries(fresh)));
    }
  };
  // A folder that can not be read now is read at the next change
  const tellIfReadable = (): void => void tell().catch(() => undefined);
  const server = createServer((request, response) => {
    const answer = route(request, token, hostsOf(server));
    if (answer === "page")
      void now()
        .then(renderLivePage)
        .then(
          (text) => response.writeHead(200, { ...HEADERS, "content-type": "text/html; charset=utf-8" }).end(text),
          () => refuse(response, 500),
        );
    else if (answer === "stop") {
      onStop();
      response.writeHead(204, HEADERS).end();
    } else if (answer === "events") {
      response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream" });
      response.write("retry: 2000\n\n");
      viewers.set(response, new Map());
      response.on("close", () => viewers.delete(response));
      tellIfReadable();
    } else refuse(response, answer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  server.unref();
  return {
    address: `http://127.0.0.1:${portOf(server)}/?token=${token}`,
    changed: () => {
      if (timer !== undefined || viewers.size === 0) return;
      timer = setTimeout(() => {
        timer = undefined;
        tellIfReadable();
      }, waitMs);
      timer.unref();
    },
    end: async (text) => {
      clearTimeout(timer);
      if (viewers.size > 0) await tell().catch(() => undefined);
      await Promise.all([...viewers.keys()].map((viewer) => over(viewer, text)));
      server.close();
      server.closeAllConnections();
    },
  };
}

const DOORS: Readonly<Record<string, "page" | "events" | "stop">> = {
  "GET /": "page",
  "GET /events": "events",
  "POST /stop": "stop",
};

/** What a request asks for, or the status that refuses it. */
function route(
  { method, url = "/", headers }: IncomingMessage,
  token: string,
  hosts: readonly string[],
): "page" | "events" | "stop" | 403 | 404 {
  // A name that resolves to this machine is another site's
  if (!hosts.includes(headers.host ?? "")) return 403;
  if (!URL.canParse(url, "http://127.0.0.1")) return 404;
  const { pathname, searchParams } = new URL(url, "http://127.0.0.1");
  const what = DOORS[`${method} ${pathname}`];
  if (what === undefined) return 404;
  // A header of its own is what no other site's page may send
  const given = what === "stop" ? headers["x-thaw-token"] : searchParams.get("token");
  return typeof given === "string" && isSame(given, token) ? what : 403;
}

function refuse(response: ServerResponse, status: keyof typeof ANSWERS): void {
  response.writeHead(status, { ...HEADERS, "content-type": "text/plain; charset=utf-8" }).end(ANSWERS[status]);
}

function hostsOf(server: Server): readonly string[] {
  return [`127.0.0.1:${portOf(server)}`, `localhost:${portOf(server)}`];
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function isSame(given: string, token: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(token)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Each line of the data is a field of its own. */
function send(viewer: ServerResponse, event: string, data: string): void {
  const lines = data.split("\n").map((line) => `data: ${line}`);
  viewer.write([`event: ${event}`, ...lines, "", ""].join("\n"));
}

/** Ends a viewer's stream; one that does not take it is left. */
function over(viewer: ServerResponse, text: string): Promise<void> {
  return new Promise((resolve) => {
    viewer.once("close", resolve);
    send(viewer, "over", text);
    viewer.end(resolve);
  });
}

function unbegun(name: string): RunData {
  const config = { values: new Map<string, string>(), settings: [] };
  return { name, status: "running", config, changes: [], metrics: [], log: [], samples: [] };
}
