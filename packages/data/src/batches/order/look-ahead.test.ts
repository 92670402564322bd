import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { testProcessor } from "../../../test-support/processor.js";
import type { Processor } from "../../media/processor.js";
import type { DataSource, SourceContext } from "../data-source.js";
import { openSource } from "../source.js";

const images = fileURLToPath(new URL("../../../fixtures/images/", import.meta.url));
let folder: string;
let processor: Processor;
const opened: DataSource[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-ahead-"));
});
beforeEach(async () => {
  processor = await testProcessor();
});
afterAll(async () => {
  await Promise.all(opened.map((source) => source.close()));
  await rm(folder, { recursive: true });
});

type RecordOf = Readonly<Record<string, unknown>>;
const chat = (question: string, answer: string, more: RecordOf = {}): RecordOf => ({
  messages: [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ],
  ...more,
});

async function open(records: readonly RecordOf[], context: Partial<SourceContext> = {}): Promise<DataSource> {
  await writeFile(join(folder, "set.jsonl"), records.map((record) => JSON.stringify(record)).join("\n"));
  const options = { type: "conversations", path: "set.jsonl", images, textOnly: true } as const;
  const source = await openSource(options, { processor, baseFolder: folder, role: "train", workers: 0, ...context });
  opened.push(source);
  return source;
}

/** Many good samples, and one among them. */
const among = (record: RecordOf, at = 299): readonly RecordOf[] =>
  Array.from({ length: 300 }, (_, index) =>
    index === at ? record : chat("what is this, and why is it there?", "a boat"),
  );

const refusal = async (records: readonly RecordOf[], context?: Partial<SourceContext>) => {
  const error = await open(records, context).then(
    () => undefined,
    (cause: unknown) => cause as Error & { code: string; details: RecordOf },
  );
  return { code: error?.code, message: error?.message, details: error?.details };
};

describe("before a step, a set is refused for", () => {
  it("a sample that is long by its images alone, though it has the fewest characters", async () => {
    const many = chat("<image><image><image><image><image><image><image><image>", "x", {
      images: Array.from({ length: 8 }, () => "rgb.png"),
    });
    const { code, message } = await refusal(among(many), { maxLength: 50 });
    expect(code).toBe("THAW_DATA_TOO_LONG");
    expect(message).toContain("(32 of them for images and sounds)");
    expect(message).toContain("set.jsonl:300");
  });

  it("a short sample that the template refuses, with its line", async () => {
    processor = await testProcessor({
      template:
        "{% for m in messages %}{% if m['content'] == 'no' %}{{ raise_exception('not no') }}{% endif %}" +
        "{{ m['content'] }} {% endfor %}",
    });
    const { code, message } = await refusal(among(chat("no", "x")));
    expect(code).toBe("THAW_DATA_TEMPLATE");
    expect(message).toMatch(/not no.*For .*set\.jsonl:300\./s);
  });

  it("a token that the model has no row for, with sample, token and sizes", async () => {
    const id = processor.tokenizer.encode("zebra").at(-1)!;
    const rows = Math.max(...processor.tokenizer.encode("what is this, and why is it there? a boat"), 331) + 1;
    processor = { ...processor, embeddingRows: Math.min(rows, id) };
    const { code, message, details } = await refusal([chat("q", "zebra")]);
    expect(code).toBe("THAW_DATA_TOKEN_WITHOUT_ROW");
    expect(message).toContain(`the model's embedding has ${Math.min(rows, id)} rows. In`);
    expect(details).toMatchObject({ origin: join(folder, "set.jsonl:1"), rows: Math.min(rows, id) });
  });

  it.each([
    ["cut off", "truncated.jpg", "THAW_DATA_IMAGE_BROKEN"],
    ["not there", "none.png", "THAW_DATA_IMAGE_MISSING"],
    ["a folder", ".", "THAW_DATA_IMAGE_BROKEN"],
    ["empty", join(tmpdir(), "thaw-empty.png"), "THAW_DATA_IMAGE_BROKEN"],
    ["a web page", join(tmpdir(), "thaw-page.jpg"), "THAW_DATA_IMAGE_BROKEN"],
    ["a device without an end", "/dev/zero", "THAW_DATA_IMAGE_BROKEN"],
  ])("an image that is %s", async (name, image, expected) => {
    await writeFile(join(tmpdir(), "thaw-empty.png"), "");
    await writeFile(join(tmpdir(), "thaw-page.jpg"), "<!doctype html><html><body>Not found</body></html>");
    const { code, message } = await refusal(among(chat("<image>q", "x", { images: [image] }), 217));
    expect(code).toBe(expected);
    expect(message).toContain("set.jsonl:218");
    if (name === "a web page") expect(message).toContain("it is a web page (HTML)");
  });

  it("several samples, counted and the first ones named", async () => {
    const records = among(chat("<image>q", "x", { images: ["truncated.jpg"] }), 3).map((record, index) =>
      index > 200 && index < 210 ? chat("word ".repeat(600), "x") : record,
    );
    const { code, message, details } = await refusal(records);
    expect(code).toBe("THAW_DATA_IMAGE_BROKEN");
    expect(message).toMatch(
      /In .*set\.jsonl:4\. Replace.*9 other samples cannot be used either: .*set\.jsonl:202 \(THAW_DATA_TOO_LONG\)/,
    );
    expect(details!["others"]).toHaveLength(9);
  });
});

describe("a set that can be used", () => {
  it("says how much was looked at, and takes images that only look unfinished", async () => {
    const bytes = Buffer.concat([await readFile(join(images, "subsampled.jpg")), Buffer.alloc(99)]);
    await writeFile(join(folder, "trailer.jpg"), bytes);
    const source = await open([
      chat("<image>q", "x", { images: [join(folder, "trailer.jpg")] }),
      chat("<image>q", "y", { images: ["rgb.png"] }),
      chat("<image>q", "z", { images: ["rgb.png"] }),
    ]);
    expect(source.lookedAt).toEqual({ samples: 3, images: 2, imageCount: 2 });
  });

  it("has the same identity wherever it lies, and says what is different", async () => {
    const records = among(chat("<image>q", "x", { images: ["rgb.png"] }));
    const { identity } = await open(records);
    const different = (other: DataSource): readonly string[] =>
      Object.keys(identity!).filter((name) => other.identity![name] !== identity![name]);
    const elsewhere = join(folder, "elsewhere");
    await mkdir(elsewhere);
    await cp(join(images, "rgb.png"), join(elsewhere, "rgb.png"));
    expect(
      different(await open(records.with(299, chat("<image>q", "x", { images: [join(elsewhere, "rgb.png")] })))),
    ).toEqual([]);
    expect(different(await open(records.with(10, chat("q", "other"))))).toEqual(["samples 10 to 12"]);
    expect(different(await open(records.with(299, chat("<image>q", "x", { images: ["grey.png"] }))))).toEqual([
      "images of samples 298 to 300",
    ]);
    processor = await testProcessor({ template: "{% for m in messages %}{{ m['content'] }}.{% endfor %}" });
    expect(different(await open(records))).toEqual(["the tokenizer or the chat template"]);
  });
});
