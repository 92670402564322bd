import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Damages one file of a folder, or two, at random, and says `{ kind, files }`: paths of what is not as it was. Nothing
 * that changes no byte counts as damage.
 */
export async function damageAtRandom(folder, files, random) {
  for (;;) {
    const [kind, damage] = random.pick(Object.entries(DAMAGES));
    const file = random.pick(files);
    const changed = await damage(folder, file, files, random);
    if (changed !== undefined) return { kind, files: changed.map((name) => join(folder, name)) };
  }
}

/** Edits a file's bytes; undefined where the edit leaves them as they are. */
async function edit(folder, file, change) {
  const path = join(folder, file);
  const before = await readFile(path);
  const after = change(Buffer.from(before));
  if (after === undefined || after.equals(before)) return undefined;
  await writeFile(path, after);
  return [file];
}

const DAMAGES = {
  "flipped bits": (folder, file, _, random) =>
    edit(folder, file, (bytes) => {
      for (let count = 1 + random.below(3); count > 0; count--)
        bytes[random.below(bytes.length)] ^= 1 << random.below(8);
      return bytes;
    }),
  truncation: (folder, file, _, random) => edit(folder, file, (bytes) => bytes.subarray(0, random.below(bytes.length))),
  "zeroed page": (folder, file, _, random) =>
    edit(folder, file, (bytes) => {
      const begin = random.below(bytes.length);
      return bytes.fill(0, begin, Math.min(bytes.length, begin + random.pick([16, 512, 4096])));
    }),
  "appended bytes": (folder, file, _, random) =>
    edit(folder, file, (bytes) => Buffer.concat([bytes, Buffer.alloc(1 + random.below(600), random.below(256))])),
  deletion: async (folder, file) => {
    await rm(join(folder, file));
    return [file];
  },
  "two files swapped": async (folder, file, files, random) => {
    const other = random.pick(files);
    if (other === file) return undefined;
    const [first, second] = [join(folder, file), join(folder, other)];
    if ((await readFile(first)).equals(await readFile(second))) return undefined;
    await rename(first, `${first}.kept`);
    await rename(second, first);
    await rename(`${first}.kept`, second);
    return [file, other];
  },
  "names swapped in a header": (folder, file, _, random) =>
    editHeader(folder, file, (header, names) => {
      const [first, second] = [random.pick(names), random.pick(names)];
      [header[first], header[second]] = [header[second], header[first]];
    }),
  "shape in a header": (folder, file, _, random) =>
    editHeader(folder, file, (header, names) => {
      const entry = header[random.pick(names)];
      entry.shape = random.pick([entry.shape.toReversed(), [entry.shape.reduce((size, axis) => size * axis, 1)]]);
    }),
  "name in a header": (folder, file, _, random) =>
    editHeader(folder, file, (header, names) => {
      const name = random.pick(names);
      header[name.replace(/[a-z]/, (letter) => (letter === "z" ? "y" : "z"))] = header[name];
      delete header[name];
    }),
  "a value in JSON": (folder, file, _, random) =>
    file.endsWith(".json")
      ? edit(folder, file, (bytes) => {
          const json = JSON.parse(bytes.toString("utf8"));
          editLeaf(json, random);
          return Buffer.from(`${JSON.stringify(json)}\n`);
        })
      : undefined,
};

/** Rewrites a header whole and consistent: what only a sum or the plan can tell. */
function editHeader(folder, file, change) {
  if (!file.endsWith(".safetensors")) return undefined;
  return edit(folder, file, (bytes) => {
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
    const names = Object.keys(header).filter((name) => name !== "__metadata__");
    const before = JSON.stringify(header);
    change(header, names);
    if (JSON.stringify(header) === before) return undefined;
    const json = Buffer.from(JSON.stringify(header));
    const own = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
    own.writeBigUInt64LE(BigInt(own.length - 8));
    json.copy(own, 8);
    return Buffer.concat([own, bytes.subarray(8 + length)]);
  });
}

/** Walks to a leaf at random and makes it another, or takes it away. */
function editLeaf(json, random) {
  let place = json;
  for (;;) {
    const keys = Object.keys(place);
    if (keys.length === 0) return;
    const key = random.pick(keys);
    const value = place[key];
    if (typeof value === "object" && value !== null && random.number() < 0.9) {
      place = value;
      continue;
    }
    const isTaken = random.number() < 0.2;
    if (isTaken && Array.isArray(place)) place.splice(Number(key), 1);
    else if (isTaken) delete place[key];
    else place[key] = typeof value === "number" ? value + random.pick([1, -1, 0.5]) : `${value}x`;
    return;
  }
}
