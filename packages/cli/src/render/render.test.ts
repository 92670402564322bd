import { describe, expect, it } from "vitest";
import { bytesText, durationText } from "@thaw/contracts";
import fc from "fast-check";
import { samplePlanned, sampleRecord } from "../../test-support/sample-record.js";
import { memoryTerminal } from "../terminal/terminal.js";
import { chartLines, resample } from "./chart.js";
import { findingLines, verdictLine } from "./findings.js";
import { planLines } from "./plan.js";
import { summaryLines } from "./summary.js";
import { lossText, scoreText, table, visibleLength, wrap } from "./text.js";

const { colors, width } = memoryTerminal(110);
const options = { colors, width, folder: "/x" };

describe("numbers as text", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1500, "1.5 kB"],
    [530_000, "530 kB"],
    [999_600, "1.0 MB"],
    [61e6, "61.0 MB"],
    [3.2e9, "3.2 GB"],
  ])("writes %d bytes as %s", (bytes, text) => expect(bytesText(bytes)).toBe(text));
  it.each([
    [240, "240 ms"],
    [1_200, "1.2 s"],
    [9_960, "10 s"],
    [59_400, "59 s"],
    [125_000, "2 min 05 s"],
    [3_720_000, "1 h 02 min"],
  ])("writes %d ms as %s", (milliseconds, text) => expect(durationText(milliseconds)).toBe(text));
  it("writes scores and losses, and dashes for what is missing", () =>
    expect([
      scoreText(0.4421),
      scoreText(undefined),
      lossText(1.23456),
      lossText(undefined),
      lossText(Number.NaN),
    ]).toEqual(["0.442", "-", "1.235", "-", "NaN"]));
});

describe("tables", () => {
  it("aligns, and wraps the last column at the width", () => {
    const lines = table(
      [{ title: "a" }, { title: "n", align: "right" }, { title: "text" }],
      [
        ["one", "1", "some words that do not fit into one line of it"],
        ["2", "22", "x"],
      ],
      { width: 40 },
    );
    expect(lines).toEqual([
      "a     n  text",
      `───  ──  ${"─".repeat(31)}`,
      "one   1  some words that do not fit into",
      "         one line of it",
      "2    22  x",
    ]);
    expect(Math.max(...lines.map(visibleLength))).toBeLessThanOrEqual(40);
  });
});

describe("the plan", () => {
  it("shows parameters, state, flow, memory and reason of each component", () => {
    const text = planLines(samplePlanned(), options).join("\n");
    expect(text).toMatch(
      /vision_tower\s+1,073,152\s+frozen\s+prefix\s+4\.3 MB\s+frozen by freeze\.train_mm_proj_only: true/,
    );
    expect(text).toMatch(/multi_modal_projector\s+16,512\s+trainable\s+trained\s+264 kB\s+trained by/);
    expect(text).toMatch(/language_model\s+655,360\s+frozen\s+through\s+2\.6 MB/);
    expect(text).toContain("16,512 of 1,745,024 parameters train (0.9%)");
  });
});

describe("findings", () => {
  const error = {
    rule: "frozen-and-trained",
    severity: "error" as const,
    message: "One freezes it, the other trains it.",
    fix: "Remove one.",
    settings: [
      {
        path: "freeze.freeze_vision_tower",
        value: true,
        origin: "explicit" as const,
        file: "/x/thaw.config.yaml",
        line: 3,
      },
    ],
  };
  it("puts errors first, with settings, places and fix", () => {
    const text = findingLines([...samplePlanned().findings, error], options).join("\n");
    expect(text.indexOf("error frozen-and-trained")).toBe(0);
    expect(text).toContain("  at freeze.freeze_vision_tower: true (thaw.config.yaml:3, explicit)\n  fix: Remove one.");
  });
  it("counts in the verdict", () => {
    expect(verdictLine([], colors)).toBe("Checker: no conflicts.");
    expect(verdictLine([error, error, ...samplePlanned().findings], colors)).toBe("Checker: 2 errors, 1 warning.");
  });
});

describe("curves and samples", () => {
  it("draws as many columns as fit", () => {
    const lines = chartLines(
      Array.from({ length: 500 }, (_, step) => ({ step, value: 500 - step })),
      { width: 60, height: 5 },
    );
    expect(lines).toHaveLength(7);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(chartLines([{ step: 0, value: 1 }], { width: 60 })).toEqual([]);
  });
  it("keeps every stretch's mean", () => expect(resample([1, 3, 5, 7], 2)).toEqual([2, 6]));
});

describe("the summary", () => {
  it("says what was trained, how well, what is proven and what was saved", () => {
    const text = summaryLines(sampleRecord(), options).join("\n");
    expect(text).toContain(
      "200 steps in 1 min 36 s on WASM with SIMD, one thread (training alone 48 s, 9,000 tokens/s); ended: " +
        "max_steps reached.",
    );
    expect(text).toMatch(
      new RegExp(
        String.raw`twemoji\s+60\s+before\s+0\.004\s+0\.000\n\s+after\s+0\.442\s+0\.376\n\s+majority bas` +
          String.raw`eline\s+0\.050\s+0\.001\n\s+nearest neighbour baseline\s+0\.316\s+0\.286`,
      ),
    );
    expect(text).toContain("vision_tower    2 tensors  sha256 abababababab…  no bit moved");
    expect(text).toContain("time per step: 240 ms instead of 2.9 s, 12.1x faster");
    expect(text).toContain("peak in tensors: 61.0 MB instead of 410 MB, 6.7x less");
    expect(text).toMatchSnapshot();
  });
  it("names the best checkpoint", () => {
    const best = { evaluation: "captions/icons", metric: "tokenF1", value: 0.4213, step: 1500 };
    const lines = (folder: object): string => {
      const record = sampleRecord();
      return summaryLines({ ...record, summary: { ...record.summary!, best: { ...best, ...folder } } }, options).join(
        "\n",
      );
    };
    expect(lines({ folder: "runs/a/final" })).toContain(
      "Best checkpoint\ntoken F1 of captions/icons is 0.4213 after step 1,500: runs/a/final",
    );
    expect(lines({})).toContain("after step 1,500\n");
    expect(summaryLines(sampleRecord(), options).join("\n")).not.toContain("Best checkpoint");
  });
  it("gets by with an evaluation that has only begun", () => {
    const record = sampleRecord();
    const { after: _after, ...before } = record.captions[0]!;
    record.captions.splice(0, 2, before);
    delete record.summary;
    delete record.saving;
    expect(summaryLines(record, options).join("\n")).toMatch(/sample \(twemoji\)\s+model/);
  });
});

describe("wrap", () => {
  it("keeps to the width and loses nothing, whatever the words", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "Z", "/", ".", "_", "-"), minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), fc.integer({ min: 8, max: 40 }), (words, width) => {
        const lines = wrap(words.join(" "), width);
        expect(lines.every((line) => line.length <= width && line !== "")).toBe(true);
        expect(lines.join("").replaceAll(" ", "")).toBe(words.join(""));
      }),
    );
  });

  it("breaks long paths and names behind a sign, and other words where the line ends", () => {
    expect(wrap("at freeze.components.language_model.lora (thaw.config.yaml:8)", 30)).toEqual([
      "at freeze.components.language_",
      "model.lora",
      "(thaw.config.yaml:8)",
    ]);
    expect(wrap("a".repeat(25), 10)).toEqual(["a".repeat(10), "a".repeat(10), "a".repeat(5)]);
    expect(wrap("short words stay whole", 12)).toEqual(["short words", "stay whole"]);
  });
});
