import { dirname, resolve } from "node:path";
import { append, type DatasetFormat, type Sample, type SampleSet } from "@thaw/contracts";
import { z } from "zod";
import { fileMalformed } from "../../errors/files.js";
import { sampleInvalid } from "../../errors/samples.js";
import { type ByteFile, headOf, openBytes } from "../../records/byte-file.js";
import { indexArray } from "../../records/json-array.js";
import { arraysOf, sliceOf } from "../../records/json-object.js";
import { hashOfPlaces, recordOf } from "../../records/records.js";
import { captionSample } from "../../samples/captions.js";
import { mediaFolders } from "../../samples/media-reference.js";
import { fileName, nameWithConcepts } from "../names.js";
import { concepts, exif, images, prompt } from "../options.js";

const ADVICE = 'A COCO file has "images" with an id and a file_name each, and "annotations" with image_id and caption.';

/** COCO's annotations of captions: one sample per caption, or per picture. */
export const cocoSchema = z.strictObject({
  path: z.string().min(1).meta({ format: "hub-or-path", description: "A captions_*.json." }),
  images,
  prompt,
  together: z
    .boolean()
    .default(false)
    .describe(
      "One sample per picture: its first caption is learned, and metrics compare with all of them, as COCO's own " +
        "evaluation does. Default: one sample per caption.",
    ),
  concepts,
  exif,
});

interface Entries {
  readonly count: number;
  read(index: number): Promise<Readonly<Record<string, unknown>>>;
  fingerprint(first: number, end: number): Promise<string>;
}

async function entriesOf(file: ByteFile, [start, end]: readonly [number, number], key: string): Promise<Entries> {
  const part = sliceOf(file, start, end);
  const places = await indexArray(part);
  return {
    count: places.count,
    read: async (index) => {
      const bytes = await part.read(places.startOf(index), places.lengthOf(index));
      return recordOf(bytes, `${file.path} ${key}[${index}]`, ADVICE).value;
    },
    fingerprint: (first, last) => hashOfPlaces(part, places, first, last),
  };
}

/** By an image's id, its number in the list. */
async function numbersById(images_: Entries): Promise<ReadonlyMap<unknown, number>> {
  const numbers = new Map<unknown, number>();
  for (let index = 0; index < images_.count; index += 1) numbers.set((await images_.read(index))["id"], index);
  return numbers;
}

async function openCoco(
  file: ByteFile,
  options: z.output<typeof cocoSchema>,
  { baseFolder, captionPrompt }: { readonly baseFolder: string; readonly captionPrompt: string },
): Promise<SampleSet> {
  const { path } = file;
  const arrays = await arraysOf(file);
  const [pictures, notes] = await Promise.all(
    (["images", "annotations"] as const).map(async (key) => {
      const place = arrays.get(key);
      if (place === undefined) throw fileMalformed(path, `There is no list "${key}".`, ADVICE);
      return entriesOf(file, place, key);
    }),
  );
  const numbers = await numbersById(pictures!);
  const folders = mediaFolders(options, dirname(path), baseFolder);
  const { exif: isTurned, concepts: part } = options;
  const read = async (indices: readonly number[]): Promise<Sample> => {
    const origin = `${path} annotations[${indices[0]}]`;
    const own = await Promise.all(indices.map((index) => notes!.read(index)));
    const { id, image_id: imageId } = own[0]!;
    const number = numbers.get(imageId);
    if (number === undefined) throw sampleInvalid(origin, `No image has the id ${String(imageId)}.`, ADVICE);
    const { file_name: image } = await pictures!.read(number);
    const value = options.together
      ? { id: imageId, image, caption: own.map(({ caption }) => caption) }
      : { id, image, caption: own[0]!["caption"] };
    return captionSample({ value, origin }, { folders, prompt: options.prompt ?? captionPrompt });
  };
  const common = {
    origin: path,
    exif: isTurned,
    ...(part === undefined ? {} : { concepts: part }),
    close: () => file.close(),
  };
  if (!options.together)
    return {
      ...common,
      count: notes!.count,
      read: (index) => read([index]),
      fingerprint: (first, end) => notes!.fingerprint(first, end),
    };
  const groups = await notesByPicture(notes!);
  const whole = await notes!.fingerprint(0, notes!.count);
  return {
    ...common,
    count: groups.length,
    read: (index) => read(groups[index]!),
    fingerprint: (first, end) => Promise.resolve(`${whole} ${first} ${end}`),
  };
}

/** Numbers of the notes of each picture, in the order in which pictures come up. */
async function notesByPicture(notes: Entries): Promise<readonly (readonly number[])[]> {
  const groups = new Map<unknown, number[]>();
  for (let index = 0; index < notes.count; index += 1) append(groups, (await notes.read(index))["image_id"], index);
  return [...groups.values()];
}

/** COCO captions. */
export const cocoFormat: DatasetFormat<z.output<typeof cocoSchema>> = {
  type: "coco",
  summary: "Captions as COCO writes them: images and annotations in one JSON object.",
  schema: cocoSchema,
  recognises: async (path) => {
    if (!/\.json(?:\.gz|\.zst)?$/i.test(path)) return undefined;
    const head = (await headOf(path, 1)).toString("latin1");
    if (head !== "{" && !/\.(?:gz|zst)$/i.test(path)) return undefined;
    const file = await openBytes(path);
    try {
      const arrays = await arraysOf(file);
      return arrays.has("images") && arrays.has("annotations") ? { path } : undefined;
    } catch {
      return undefined;
    } finally {
      await file.close();
    }
  },
  nameOf: ({ path, concepts: part }) => nameWithConcepts(fileName(path), part),
  open: async (options, context) => {
    const file = await openBytes(resolve(context.baseFolder, options.path));
    try {
      return await openCoco(file, options, context);
    } catch (cause) {
      await file.close();
      throw cause;
    }
  },
};
