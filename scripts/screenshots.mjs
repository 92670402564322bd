/**
 * `node scripts/screenshots.mjs [run folder]`: makes docs/images anew, so that they show what there is: the page of a
 * run, of the quickstart's example where no run is named. Needs /usr/bin/chromium.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { root } from "./prepare.mjs";

const images = join(root, "docs/images");
/** How large the pictures are, in CSS pixels. */
const SIZE = { width: 1100, height: 760 };

/** Trains the quickstart's example into a folder; the run's folder. */
function quickstartRun(folder) {
  const example = join(root, "examples/emoji-captioner");
  const args = [join(root, "packages/cli/bin/thaw.js"), "train", example, "--set", `output=${folder}`];
  execFileSync(process.execPath, args, { stdio: "inherit" });
  return join(folder, readdirSync(folder)[0]);
}

const folder = mkdtempSync(join(tmpdir(), "thaw-screenshots-"));
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  const run = process.argv[2] ?? quickstartRun(folder);
  const page = await browser.newPage({ viewport: SIZE, colorScheme: "light" });
  await page.goto(pathToFileURL(join(run, "report.html")).href);
  mkdirSync(images, { recursive: true });
  await page.screenshot({ path: join(images, "report.png") });
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
