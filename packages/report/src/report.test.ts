import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { keepSecret } from "@thaw/core";
import { runTiny, tinyTrainerOptions } from "@thaw/testing";
import { parseHTML } from "linkedom";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun, type SampleRunOptions } from "../test-support/sample-run.js";
import { html, trusted } from "./page/html.js";
import { readRun, renderReport, writeReport } from "./index.js";
import { chartsOf } from "./run/series.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-report-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The page of a sample run, its text with single blanks. */
async function pageOf(options: SampleRunOptions = {}) {
  const run = join(folder, "emoji");
  writeSampleRun(run, options);
  const text = await renderReport(run);
  const { document } = parseHTML(text);
  const words = (selector: string): string =>
    [...document.querySelectorAll(selector)]
      .map(({ textContent }) => textContent)
      .join(" ")
      .replaceAll(/\s+/g, " ");
  return { text, document, words };
}

describe("html", () => {
  it("escapes text, and nothing twice", () => {
    const given = html`<p title="${"\"<&>'"}">${html`<b>${"<i>"}</b>`}${[html`a`, html`&amp;`]}${3}${undefined}</p>`;
    expect(given.html).toBe('<p title="&#34;&#60;&#38;&#62;&#39;"><b>&#60;i&#62;</b>a&amp;3</p>');
    expect(html`${trusted("<svg/>")}`.html).toBe("<svg/>");
  });
});

describe("the report of a run folder", () => {
  it("shows model, curves, evaluations, samples, savings, proof and what made it, from no other place", async () => {
    const { document, words } = await pageOf();
    expect(words("h1")).toBe("emoji");
    expect(words("#overview")).toContain("Finished 200 of 200 steps · ended: all 200 steps are done");
    expect(words("#overview .cards")).toMatch(/0\.25 *token F1 of captions\/twemoji, was 0\.004; a baseline/);
    expect(words("#overview .cards")).toMatch(
      /0\.421 *best token F1 of captions\/twemoji, after 150 steps \(other\/checkpoints\/step-150\)/,
    );
    expect(words("#overview .cards")).toMatch(/12\.1x *faster per step than training everything/);
    expect(words("#findings")).toMatch(
      /warning zero-learning-rate .* rate of 0, .*training\.learning_rate thaw\.config/,
    );
    const boxes = [...document.querySelectorAll("#model .across a")];
    expect(boxes.map((box) => box.textContent.replaceAll(/\s+/g, " ").trim())).toEqual([
      "vision_tower ❄ frozen, cached 1,219,584 parameters 4.9 MB",
      "multi_modal_projector ● trains 33,024 parameters 5.3 MB with slots",
      "language_model ❄ frozen 734,080 parameters 4.9 MB",
    ]);
    for (const box of boxes) expect(document.getElementById(box.getAttribute("href")!.slice(1))).not.toBeNull();
    expect(words("#component-language_model")).toContain("passes gradients to multi_modal_projector");
    expect(words("#component-multi_modal_projector")).toContain("gradients stop here: none goes to vision_tower");
    expect(words("#evaluations")).toContain(
      "A baseline of captions/twemoji is as good or better, and needs no training: in token F1 the model has 0.25, " +
        "nearest neighbour 0.3.",
    );
    expect(words("#evaluations")).toContain("412 names that the training set does not have");
    expect([...document.querySelectorAll("#curves h3")].map(({ textContent }) => textContent)).toEqual([
      "Loss",
      "Learning rate",
      "Gradient norm by component",
      "Update against weight, by component",
      "Tokens per second",
      "Memory",
      "token F1 of captions/twemoji",
      "featureCacheHits",
    ]);
    expect(document.querySelectorAll("#curves svg")).toHaveLength(8);
    expect(document.querySelectorAll("#curves figure table")).toHaveLength(8);
    const ticks = (id: string): string => words(`#chart-${id} svg text`);
    expect(ticks("evaluation-captions-twemoji-tokenf1")).toContain("0.05");
    expect(ticks("gradient-norm")).toContain("0.001 0.01 0.1 1");
    const paths = [...document.querySelectorAll("#curves path")].map((path) => path.getAttribute("d"));
    expect(paths.filter((path) => /\d\.\d{2}/.test(path ?? ""))).toEqual([]);
    expect(words("#time")).toMatch(/forward and backward *42 s *84%/);
    expect(words("#proof")).toMatch(/this run *240 ms *61\.0 MB *33,024 *everything trainable *2\.9 s/);
    expect(words("#proof").match(/Feature cache/g)).toHaveLength(1);
    expect(words("#proof")).toMatch(/vision_tower *103 *abab\w+… *✓ no bit moved/);
    expect(words("#proof")).toMatch(/language_model *103 *abab\w+… *✗ changed to cdcd/);
    expect(document.querySelectorAll("#samples li.sample img")).toHaveLength(20);
    expect(words("#samples li.sample:first-child")).toMatch(
      /✗ wrong *token F1 0 .*question *Caption: *reference *cat *answer *dog/,
    );
    expect(words("#environment")).toContain("npx thaw train --set training.max_steps=200");
    expect(words("#environment")).toMatch(/seed *42/);
    expect(words("#config")).toMatch(/model\.path .*thaw\.config\.yaml:3 .*seed *42 *default/);
    expect(words(".log")).toContain("warning: Look <here>.");
    for (const element of document.querySelectorAll("[src], [href]"))
      expect(element.getAttribute("src") ?? element.getAttribute("href")).toMatch(/^(#|data:image\/)/);
    expect(words("style")).not.toMatch(/url\(|@import/);
  });

  it.each<readonly [SampleRunOptions["status"], string, RegExp]>([
    ["interrupted", "Stopped before its end", /^((?!killed|THAW_).)*$/],
    ["failed", "Failed", /THAW_CORE_NOT_FINITE The loss is NaN\./],
    ["lost", "Ended without a word", /Its process is gone and said nothing/],
  ])("says of a run that is %s: %s", async (status, word, more) => {
    const { words } = await pageOf({ status, steps: 40 });
    expect(words(".status")).toContain(`${word} 40 of 200 steps`);
    expect(words("#overview")).toMatch(more);
  });

  it("says that a run goes on, while its process is there", async () => {
    writeSampleRun(folder, { status: "lost", steps: 50 });
    writeFileSync(join(folder, "run.lock"), JSON.stringify({ pid: process.ppid, host: hostname() }));
    expect((await readRun(folder)).status).toBe("running");
    expect(await renderReport(folder)).toMatch(/<progress max="200" value="50"/);
  });

  it("marks where a run was taken up again, and says what it goes on with", async () => {
    const { words, document } = await pageOf({ resumedAt: 120 });
    expect(words(".log")).toContain(
      "resumed from step-120, with another plan; training.learningRate: 0.01, then 0.005",
    );
    expect(words("#model")).toContain("Plan another");
    expect(words("#chart-loss")).toContain("resumed after step 120");
    expect(JSON.parse(document.querySelector("#chart-loss script")!.textContent!)).toMatchObject({ marks: [120] });
  });

  it("escapes what a model answers, keeps secrets and disks to itself, and stays small", async () => {
    keepSecret("s3cr3t-token", "TOKEN");
    const { text, words } = await pageOf({ answer: "<b>bold</b> s3cr3t-token</script>", steps: 3000, score: 0.9 });
    expect(/<b>bold|s3cr3t-token|\/home\/ada\/runs|\/home\/ada\/secret-project\/thaw/.exec(text)).toBeNull();
    expect(words("#evaluations")).not.toContain("baseline of");
    expect(Buffer.byteLength(text.replaceAll(/data:image[^"]*/g, ""))).toBeLessThan(1e6);
    expect(words("#chart-loss tbody").split(" ").length).toBeLessThan(400);
  });

  it("shows no file that a run folder from elsewhere names outside of its samples", async () => {
    writeSampleRun(folder);
    writeFileSync(join(folder, "samples.jsonl.key"), "private");
    const line = readFileSync(join(folder, "samples.jsonl"), "utf8").trimEnd().split("\n").at(-1)!;
    symlinkSync("/etc/passwd", join(folder, "samples", "linked.png"));
    const named = ["../samples.jsonl.key", "/etc/passwd", "samples/../plan.json", "samples/linked.png"];
    writeFileSync(
      join(folder, "samples.jsonl"),
      line.replace('"samples/pixel.png"', named.map((name) => `"${name}"`).join()),
    );
    expect((await readRun(folder)).samples.map(({ images }) => images)).toEqual([[]]);
  });

  it("is made of any run by program, and of one that said nothing but its plan", async () => {
    await runTiny(tinyTrainerOptions({ output: folder, runName: "by-program" }));
    const [run] = readdirSync(folder);
    const report = await writeReport(join(folder, run!));
    expect(basename(report)).toBe("report.html");
    expect(readFileSync(report, "utf8")).toMatch(/<h1 id="name">by-program-[^<]*<\/h1>[\s\S]*6 of 6 steps/);
    const bare = join(folder, "bare");
    mkdirSync(bare);
    writeFileSync(join(bare, "plan.json"), "{}");
    expect(await renderReport(bare)).toContain("Ended without a word");
  });

  it("is written whole, or leaves nothing", async () => {
    await expect(writeReport(folder)).rejects.toMatchObject({ code: "THAW_REPORT_NOT_A_RUN" });
    writeSampleRun(folder);
    mkdirSync(join(folder, "report.html"));
    await expect(writeReport(folder)).rejects.toMatchObject({ code: "THAW_REPORT_UNWRITABLE" });
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("charts", () => {
  it("show at most so many points, each the mean of its stretch, and pass over what is not finite", () => {
    const steps = Array.from({ length: 1000 }, (_, index) => ({
      event: "step" as const,
      step: index + 1,
      epoch: 0,
      loss: index % 2 === 0 ? Number.NaN : 2,
      gradientNorm: 1,
      learningRates: {},
      supervisedTokens: 1,
      tokens: 1,
      durationMs: 1,
    }));
    const [loss] = chartsOf(steps);
    expect(loss!.steps).toHaveLength(400);
    expect(loss!.steps.at(-1)).toBe(1000);
    for (const { values } of loss!.lines)
      expect(new Set(values.map((value) => value?.toFixed(9)))).toEqual(new Set(["2.000000000"]));
    expect(chartsOf(steps.slice(0, 1)).map(({ id }) => id)).toEqual([]);
  });
});
