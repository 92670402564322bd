import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { captionOf, conceptOf, isSkinToneVariant, isUnseenConcept } from "../../samples/concepts.js";
import { rasterizeSvg } from "../../images/decode.js";
import { type IconSet, iconSvg, resolveIcon } from "./icon-svg.js";
import { iconifySamples, iconifySchema, iconNames, loadIconSet } from "./iconify.js";
import type { RgbImage } from "../../images/processor.js";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));

describe("an Iconify set", () => {
  it("gives visible icons without skin tones", async () => {
    const noto = await loadIconSet("noto", root);
    const twemoji = await loadIconSet("@iconify-json/twemoji", root);
    const names = iconNames(noto);
    expect([names.length, iconNames(twemoji).length]).toEqual([1779, 2033]);
    expect(names).toContain("police-car-light");
    expect(names).toContain("horizontal-traffic-light");
    expect(names).not.toContain("waving-hand-dark-skin-tone");
    expect(names.filter((name) => noto.icons[name]!.hidden === true)).toEqual([]);
    expect(names.filter((name) => !isUnseenConcept(name))).toHaveLength(1576);
  });

  it("makes captioning samples with white behind them", async () => {
    const samples = await iconifySamples(iconifySchema.parse({ set: "noto" }), {
      baseFolder: root,
      captionPrompt: "Caption:",
    });
    const dog = samples.find(({ concept }) => concept === "dog-face")!;
    expect(dog).toMatchObject({
      id: "noto:dog-face",
      origin: "iconify:noto dog-face",
      reference: "dog face",
      messages: [
        { role: "user", content: [{ type: "image" }, { type: "text", text: "Caption:" }] },
        { role: "assistant", content: [{ type: "text", text: "dog face" }] },
      ],
      media: [{ modality: "image", source: { kind: "svg", background: "#ffffff" } }],
    });
  });

  describe("from a file", () => {
    let folder: string;
    beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "thaw-icons-"))));
    afterAll(() => rm(folder, { recursive: true }));

    it("is read by file or folder, relative to the config", async () => {
      await writeFile(
        join(folder, "icons.json"),
        JSON.stringify({ prefix: "mine", icons: { "red-square": { body: '<path fill="red" d="M0 0h16v16H0z"/>' } } }),
      );
      for (const set of ["./icons.json", ".", join(folder, "icons.json")])
        expect(iconNames(await loadIconSet(set, folder))).toEqual(["red-square"]);
    });

    it.each([
      ["{", "THAW_DATA_FILE_MALFORMED"],
      ['{"prefix":"x"}', "THAW_DATA_FILE_MALFORMED"],
      ['{"prefix":"x","icons":{"a":{}}}', "THAW_DATA_FILE_MALFORMED"],
    ])("is refused when it is %s", async (text, code) => {
      await writeFile(join(folder, "bad.json"), text);
      await expect(loadIconSet("./bad.json", folder)).rejects.toMatchObject({ code });
    });

    it("is refused when it is missing, with the command that installs it", async () => {
      await expect(loadIconSet("no-such-set", folder)).rejects.toMatchObject({
        code: "THAW_DATA_ICON_SET_MISSING",
        message: expect.stringContaining("npm install @iconify-json/no-such-set"),
      });
      await expect(loadIconSet("./none.json", folder)).rejects.toMatchObject({ code: "THAW_DATA_FILE_UNREADABLE" });
    });
  });
});

describe("isSkinToneVariant", () => {
  const tones = ["light", "medium-light", "medium", "medium-dark", "dark"];
  const body = { body: "" };
  const bare: IconSet = {
    prefix: "bare",
    icons: Object.fromEntries(
      ["boy", ...tones.map((tone) => `boy-${tone}`), "traffic-light", "traffic", "moon-dark"].map((name) => [
        name,
        body,
      ]),
    ),
  };

  it.each([
    ...tones.map((tone) => [`boy-${tone}`, true] as const),
    ["boy", false],
    ["traffic-light", false],
    ["moon-dark", false],
    ["boy-light-skin-tone", true],
  ] as const)("says of %s: %s", (name, expected) => {
    expect(isSkinToneVariant(name, bare)).toBe(expected);
  });
});

describe("isUnseenConcept", () => {
  it("is the first byte of sha1 modulo 10", () => {
    // sha1 begins with byte 53, 250, 67, 239.
    expect(["grapes", "cat-face", "dog-face", "rocket"].map(isUnseenConcept)).toEqual([false, true, false, false]);
  });

  it("turns names and captions into one another", () => {
    expect([captionOf("dog-face"), conceptOf(" dog  face ")]).toEqual(["dog face", "dog-face"]);
  });
});

describe("iconSvg", () => {
  /** A letter-like shape without any symmetry, off the origin, wider than high. */
  const set: IconSet = {
    prefix: "test",
    left: 2,
    top: 1,
    width: 12,
    height: 8,
    icons: {
      flag: {
        body:
          '<defs><linearGradient id="a"><stop offset="0" stop-color="red"/><stop offset="1" ' +
          'stop-color="blue"/></linearGradient></defs><path fill="url(#a)" d="M2 1h12v2H4v6H2z"/>',
      },
      square: { body: "", width: 4, height: 4, left: 0, top: 0 },
    },
    aliases: {
      turned: { parent: "flag", rotate: 1 },
      back: { parent: "turned", rotate: 3 },
      mirrored: { parent: "flag", hFlip: true },
      upside: { parent: "flag", vFlip: true },
      both: { parent: "mirrored", vFlip: true },
      half: { parent: "flag", rotate: 2 },
      again: { parent: "mirrored", hFlip: true },
      threeQuarters: { parent: "flag", rotate: 3 },
      loop: { parent: "pool" },
      pool: { parent: "loop" },
      orphan: { parent: "nobody" },
    },
  };
  const draw = (name: string): Promise<RgbImage> =>
    rasterizeSvg(iconSvg(resolveIcon(set, name)), { width: 48, height: 48 }, "#ffffff");
  const move = (image: RgbImage, to: (x: number, y: number) => [number, number]): Uint8Array => {
    const data = new Uint8Array(image.data.length);
    for (let y = 0; y < 48; y += 1)
      for (let x = 0; x < 48; x += 1) {
        const [column, row] = to(x, y);
        data.set(image.data.subarray((y * 48 + x) * 3, (y * 48 + x) * 3 + 3), (row * 48 + column) * 3);
      }
    return data;
  };
  const difference = (left: Uint8Array, right: Uint8Array): number =>
    left.reduce((sum, value, index) => sum + Math.abs(value - right[index]!), 0) / left.length;

  it.each<[string, (x: number, y: number) => [number, number]]>([
    ["turned", (x, y) => [47 - y, x]],
    ["half", (x, y) => [47 - x, 47 - y]],
    ["both", (x, y) => [47 - x, 47 - y]],
    ["threeQuarters", (x, y) => [y, 47 - x]],
    ["mirrored", (x, y) => [47 - x, y]],
    ["upside", (x, y) => [x, 47 - y]],
    ["back", (x, y) => [x, y]],
    ["again", (x, y) => [x, y]],
  ])("draws the alias %s as its icon moved", async (name, to) => {
    const plain = await draw("flag");
    expect(plain.data.some((value) => value < 100)).toBe(true);
    expect(difference((await draw(name)).data, move(plain, to))).toBeLessThan(1);
  });

  it("takes sizes from the icon, else the set, else 16", () => {
    expect(resolveIcon(set, "flag")).toMatchObject({ left: 2, top: 1, width: 12, height: 8 });
    expect(resolveIcon(set, "square")).toMatchObject({ left: 0, top: 0, width: 4, height: 4 });
    expect(resolveIcon({ prefix: "x", icons: { a: { body: "" } } }, "a")).toMatchObject({
      left: 0,
      top: 0,
      width: 16,
      height: 16,
      hidden: false,
    });
  });

  it.each([
    ["loop", "itself as a parent"],
    ["orphan", "nobody"],
    ["unknown", "unknown"],
  ])("refuses %s", (name, message) => {
    expect(() => resolveIcon(set, name)).toThrow(
      expect.objectContaining({ code: "THAW_DATA_ICON_INVALID", message: expect.stringContaining(message) }),
    );
  });
});
