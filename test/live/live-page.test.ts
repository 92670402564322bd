import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  constants,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { writeReport } from "@thaw/report";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

const bin = fileURLToPath(new URL("../../packages/cli/bin/thaw.js", import.meta.url));
const checkpoint = fileURLToPath(new URL("../fixtures/goldens/llava", import.meta.url));
const axe = createRequire(import.meta.url).resolve("axe-core");
const browserPath = ["chromium", "chromium-browser", "google-chrome"]
  .flatMap((name) => (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name)))
  .find(isExecutable);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Takes as many steps as the file `go` says: the test paces the run, no clock does. */
const PACED = `import { readFileSync } from "node:fs";
export default { name: "Paced", apiVersion: 1, apply: ({ hooks }) => {
  hooks.beforeStep.tapPromise("Paced", async ({ step }) => {
    while (Number(readFileSync("go", "utf8")) <= step) await new Promise((resolve) => setTimeout(resolve, 20));
  });
} };
`;
let folder: string;
let browser: Browser;
let run: ChildProcess;
beforeAll(async () => {
  if (browserPath !== undefined)
    browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
});
afterAll(() => browser?.close());
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "thaw-live-")));
  for (const name of ["image0.png", "image1.png"]) cpSync(join(checkpoint, name), join(folder, name));
  const lines = [0, 1, 1, 0].map((index) => JSON.stringify({ image: `image${index}.png`, caption: "a cat" }));
  writeFileSync(join(folder, "train.jsonl"), lines.join("\n"));
  writeFileSync(join(folder, "paced.mjs"), PACED);
  go(5);
  writeFileSync(
    join(folder, "thaw.config.yaml"),
    `model: ${checkpoint}
data: { train: ./train.jsonl, evaluation: { held: ./train.jsonl }, workers: 0, max_new_tokens: 3 }
freeze: { train_mm_proj_only: true }
training: { micro_batch_size: 1, learning_rate: 1e-3, max_steps: 60, evaluate_every_steps: 25 }
plugins: [./paced.mjs]
backend: cpu
`,
  );
});
afterEach(async () => {
  run?.kill("SIGKILL");
  for (const context of browser?.contexts() ?? []) await context.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Lets the run go on to this step. */
function go(step: number): void {
  writeFileSync(join(folder, "go"), String(step));
}

/** Starts a run, and opens its page. */
async function watch(): Promise<{ readonly page: Page; readonly address: string; readonly ended: Promise<unknown> }> {
  run = spawn(process.execPath, [bin, "train", "--live", "--json", "--quiet", "--log-level", "error"], { cwd: folder });
  const ended = once(run, "close").then(([code]) => code as unknown);
  const address = await new Promise<string>((resolve, reject) => {
    createInterface(run.stdout!).on("line", (line) => {
      const event = JSON.parse(line) as { readonly event: string; readonly address?: string };
      if (event.event === "live") resolve(event.address!);
    });
    void ended.then((code) => reject(new Error(`ended with ${String(code)}`)));
  });
  const page = await open(address);
  await hasSteps(page, 5);
  return { page, address, ended };
}

async function open(address: string, context: Pick<Browser, "newPage"> = browser): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  await page.goto(address);
  return page;
}

/** Rules that a page breaks, and where. */
async function broken(page: Page): Promise<readonly string[]> {
  // The page's own policy lets no other script in by address
  await page.evaluate(readFileSync(axe, "utf8"));
  return page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      readonly axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await checker.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`);
  });
}

const hasSteps = (page: Page, step: number): Promise<unknown> => page.locator(`progress[value="${step}"]`).waitFor();

describe.skipIf(browserPath === undefined)("the live page in Chromium", () => {
  it("shows 50 steps to two viewers, also after a reload, stops for who has the token, and is the report", async () => {
    const { page, address, ended } = await watch();
    await page.click('a[href="#component-language_model"] >> visible=true');
    expect(await page.locator("#details-language_model").getAttribute("open")).not.toBeNull();
    const second = await open(address);
    await page.reload();
    go(50);
    for (const one of [page, second]) await hasSteps(one, 50);
    expect(await broken(page)).toEqual([]);
    await page.locator("#chart-loss .u-over").hover();
    expect(await page.locator("#chart-loss .u-legend .u-value").first().textContent()).toMatch(/^\d+$/);
    expect((await fetch(new URL("/stop", address), { method: "POST" })).status).toBe(403);
    page.on("dialog", (dialog) => void dialog.accept());
    await page.click("#stop");
    await page.getByText("The run stops after this step.").waitFor();
    go(60);
    expect(await ended).toBe(130);
    for (const one of [page, second]) {
      await one.getByText("The run is over: this page is its report now.").waitFor();
      expect(await one.locator(".status").textContent()).toMatch(/Stopped before its end.*asked on the live page/s);
      expect(await one.locator("#stop").isVisible()).toBe(false);
      expect(await one.locator("#samples li.sample img").count()).toBeGreaterThan(0);
    }
  });

  it("says that a run died, and the report of what it left does too", async () => {
    const { page, ended } = await watch();
    run.kill("SIGKILL");
    await ended;
    await page.getByText(/No word from the run since/).waitFor();
    const [name] = readdirSync(join(folder, "runs"));
    const report = pathToFileURL(await writeReport(join(folder, "runs", name!))).href;
    const context = await browser.newContext({ viewport: { width: 390, height: 900 }, colorScheme: "dark" });
    const saved = await open(report, context);
    expect(await saved.locator(".status").textContent()).toContain("Ended without a word");
    expect(await broken(saved)).toEqual([]);
    expect(await saved.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    await context.close();
  });
});
