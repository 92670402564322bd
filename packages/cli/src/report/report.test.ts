import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sampleRecord } from "../../test-support/sample-record.js";
import { newRecord } from "../record/record.js";
import { html, trusted } from "./html.js";
import { renderReport, writeReport } from "./report.js";

const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8" +
  "z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

describe("html", () => {
  it("escapes text, and nothing twice", () => {
    expect(
      html`<p title="${"\"<&>'"}">${html`<b>${"<i>"}</b>`}${[html`a`, html`&amp;`]}${3}${undefined}</p>`.html,
    ).toBe('<p title="&#34;&#60;&#38;&#62;&#39;"><b>&#60;i&#62;</b>a&amp;3</p>');
    expect(html`${trusted("<svg/>")}`.html).toBe("<svg/>");
  });
});

describe("the report", () => {
  it("holds every part and no outside resource", async () => {
    const text = await renderReport(
      sampleRecord(Object.fromEntries(Array.from({ length: 60 }, (_, index) => [index, PIXEL]))),
      "/x",
    );
    for (const part of [
      "Trainability plan",
      "Conflict checker",
      "Loss",
      "Captions, measured",
      "Pictures: twemoji",
      "Frozen, proven",
      "What freezing saved",
      "<svg",
      "zero-learning-rate",
      "12.1x",
    ])
      expect(text).toContain(part);
    expect(text.match(/<img/g)).toHaveLength(48);
    expect(text).toContain("&#60;b&#62;bold");
    expect(text.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:|url\(|<script|<link/);
  });

  it("is written whole, or leaves nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "thaw-report-"));
    try {
      expect(await writeReport(newRecord("Empty"), folder, "/x")).toBe(join(folder, "report.html"));
      expect(readdirSync(folder)).toEqual(["report.html"]);
      expect(readFileSync(join(folder, "report.html"), "utf8")).toContain("<h1>Empty</h1>");
      await expect(writeReport(newRecord("Empty"), join(folder, "absent"), "/x")).rejects.toMatchObject({
        code: "THAW_CLI_REPORT_UNWRITABLE",
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
