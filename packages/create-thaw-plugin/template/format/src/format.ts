import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { ThawError, type DatasetFormat, type Sample } from "@thaw/core";
import { z } from "zod";

const schema = z.strictObject({
  path: z.string().min(1).describe("A text file: a picture's path and its caption in each line."),
  separator: z.string().min(1).default("\t").describe("What stands between them."),
});

type FormatOptions = z.output<typeof schema>;

// What compilers and editors know of it, in configs and in programs.
declare module "@thaw/core" {
  interface ProvidedFormats {
    "my-plugin": { type: "my-plugin" } & z.input<typeof schema>;
  }
}

/** Pictures and captions, a pair in a line. `limit`, `augment` and the like are every format's, and not read here. */
export const format: DatasetFormat<FormatOptions> = {
  type: "my-plugin",
  summary: "A text file with a picture's path and its caption in each line.",
  schema,
  nameOf: ({ path }) => basename(path).replace(/\.\w+$/, ""),
  async open({ path, separator }, { baseFolder, captionPrompt }) {
    const file = resolve(baseFolder, path);
    const lines = (await readFile(file, "utf8")).split(/\r?\n/);
    // Numbers of the lines, from 1, as messages name them.
    const numbers = lines.flatMap((line, index) => (line.trim() === "" ? [] : [index + 1]));
    return {
      origin: file,
      count: numbers.length,
      async read(index) {
        const number = numbers[index]!;
        return sampleOf(lines[number - 1]!.split(separator), { file, number, captionPrompt });
      },
    };
  },
};

interface Line {
  readonly file: string;
  readonly number: number;
  readonly captionPrompt: string;
}

function sampleOf([picture = "", caption = ""]: readonly string[], { file, number, captionPrompt }: Line): Sample {
  const origin = `${file}:${number}`;
  if (caption.trim() === "")
    throw new ThawError(
      "MY_PLUGIN_NO_CAPTION",
      `The line has no caption. In ${origin}. Write one, or remove the line.`,
    );
  return {
    id: String(number),
    origin,
    messages: [
      { role: "user", content: [{ type: "image" }, { type: "text", text: captionPrompt }] },
      { role: "assistant", content: [{ type: "text", text: caption.trim() }] },
    ],
    media: [{ modality: "image", source: { kind: "file", path: resolve(dirname(file), picture.trim()) } }],
    reference: caption.trim(),
  };
}
