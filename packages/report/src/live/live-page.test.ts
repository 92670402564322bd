import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../test-support/sample-run.js";
import { serveLivePage, type LivePage } from "./live-page.js";

let folder: string;
let begun: string | undefined;
let stops: number;
let live: LivePage;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-live-"));
  begun = undefined;
  stops = 0;
  live = await serveLivePage({ name: "soon", folder: () => begun, onStop: () => (stops += 1) });
});
afterEach(async () => {
  await live.end("over");
  rmSync(folder, { recursive: true, force: true });
});

/** The status that a request gets, with headers and a path as no browser sends them. */
function status(path: string, { method = "GET", headers = {} } = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { hostname: host, port } = new URL(live.address);
    request({ host, port, path, method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}

/** A viewer's stream of news, one at a time. */
async function viewer() {
  const { body } = await fetch(live.address.replace("/?", "/events?"));
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    /** The next news of a kind; what comes before is passed over. */
    async next(kind: string): Promise<string> {
      for (;;) {
        const found = new RegExp(`event: ${kind}\n((?:data: .*\n)+)\n`).exec(text);
        if (found !== null) {
          text = text.slice(found.index + found[0].length);
          return found[1]!.replaceAll(/^data: /gm, "").trimEnd();
        }
        const { value, done } = await reader.read();
        if (done) throw new Error(`ended without ${kind}: ${text.slice(-200)}`);
        text += value;
      }
    },
    close: () => reader.cancel(),
  };
}

describe("the live page", () => {
  it("is on loopback, for who has the token alone, and stops a run by nothing but its header", async () => {
    const { hostname: host, searchParams } = new URL(live.address);
    expect(host).toBe("127.0.0.1");
    const token = searchParams.get("token")!;
    const [page, given] = [`/?token=${token}`, { "x-thaw-token": token }];
    expect([
      await status("/"),
      await status("/?token=wrong"),
      await status("/events?token="),
      await status(page, { headers: { host: "evil.example" } }),
      await status("/stop", { method: "POST" }),
      await status(`/stop?token=${token}`, { method: "POST" }),
      await status("/stop", { method: "POST", headers: { "x-thaw-token": `${token}x` } }),
    ]).toEqual([403, 403, 403, 403, 403, 403, 403]);
    expect([
      await status("/other", { headers: given }),
      await status("/stop", { headers: given }),
      await status("//"),
    ]).toEqual([404, 404, 404]);
    expect([stops, await status(page)]).toEqual([0, 200]);
    expect([await status("/stop", { method: "POST", headers: given }), stops]).toEqual([204, 1]);
  });

  it("shows every viewer the run as it goes, what is new alone, and becomes its report", async () => {
    const first = await viewer();
    const parts = async (one: typeof first) => JSON.parse(await one.next("parts")) as Record<string, string>;
    expect((await parts(first))["name"]).toBe("soon");
    writeSampleRun(folder, { status: "lost", steps: 30 });
    writeFileSync(join(folder, "run.lock"), JSON.stringify({ pid: process.ppid, host: hostname() }));
    begun = folder;
    live.changed();
    const [begunParts, page] = [await parts(first), await (await fetch(live.address)).text()];
    expect(begunParts["overview"]).toMatch(/Running[\s\S]*30 of 200 steps/);
    expect(page).toMatch(/data-live[\s\S]*30 of 200 steps/);
    expect(page).not.toContain("<svg aria-hidden");
    const second = await viewer();
    expect(Object.keys(await parts(second))).toEqual(expect.arrayContaining(["overview", "curves", "samples"]));
    const step = { event: "step", step: 31, epoch: 0, loss: 9, gradientNorm: 1, learningRates: {} };
    const numbers = { supervisedTokens: 1, tokens: 1, durationMs: 1 };
    appendFileSync(join(folder, "metrics.jsonl"), `${JSON.stringify({ ...step, ...numbers })}\n`);
    live.changed();
    for (const one of [first, second]) {
      const fresh = await parts(one);
      expect(fresh["overview"]).toContain("31 of 200 steps");
      expect(Object.keys(fresh)).not.toContain("model");
    }
    rmSync(join(folder, "run.lock"));
    writeSampleRun(folder);
    const ended = live.end("The run is over.");
    expect((await parts(first))["overview"]).toContain("Finished");
    expect([await first.next("over"), await second.next("over")]).toEqual(["The run is over.", "The run is over."]);
    await ended;
    await expect(fetch(live.address)).rejects.toThrow();
  });

  it("goes on when a viewer leaves or the folder cannot be read", async () => {
    begun = join(folder, "absent");
    expect(await status(`/?${new URL(live.address).searchParams.toString()}`)).toBe(500);
    const gone = await viewer();
    await gone.close();
    live.changed();
    begun = undefined;
    const next = await viewer();
    expect(await next.next("parts")).toContain("soon");
    await next.close();
  });
});
