// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

import type { ProvidedFormats } from "@thaw/contracts";

/** What every data set may have. */
export interface CommonOptions {
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/**
 * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how many
 * pictures there are.
 */
export interface AugmentOptions {
  /** Probability of a left-right mirror; true is 0.5. */
  flip?: boolean | number | undefined;
  /** Smallest share of the area that a random crop keeps; true is 0.8. */
  crop?: boolean | number | undefined;
  /** Largest relative change of brightness, contrast and saturation; true is 0.2. */
  colour?: boolean | number | undefined;
  /**
   * So many fixed random pictures of each image, taken by turns epoch by epoch, so that their features can be cached.
   * Default: new ones in every epoch.
   */
  views?: number | undefined;
}

/** A data set of one of Thaw's own formats or of a plugin's. */
export type DataSetOptions =
  | IconifySet
  | ParquetSet
  | ArrowSet
  | WebdatasetSet
  | CsvSet
  | CocoSet
  | ImagefolderSet
  | FolderSet
  | LlamaFactorySet
  | ConversationsSet
  | CaptionsSet
  | (ProvidedFormats[keyof ProvidedFormats] & CommonOptions);

/** Icons of an Iconify set, each with its name as caption. */
export interface IconifySet {
  /** Icons of an Iconify set, each with its name as caption. */
  type: "iconify";
  /** noto is @iconify-json/noto; else the path of an icons.json or of a folder that holds one. */
  set: string;
  /**
   * Which icons, by a hash of their names that calls about a tenth of all names unseen. Default: seen for training, all
   * for evaluation.
   */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /** Colour behind the icon, #rrggbb. Default: #ffffff. */
  background?: string | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** Parquet, as the Hugging Face hub keeps data sets: one file or a folder, with images and sounds in it. */
export interface ParquetSet {
  /** Parquet, as the Hugging Face hub keeps data sets: one file or a folder, with images and sounds in it. */
  type: "parquet";
  /** A Parquet file, or a folder of them. */
  path: string;
  /** train, validation or test, by names of files and folders. Default: train; for evaluation validation, else test. */
  split?: string | undefined;
  /**
   * Which column is what: { image: jpg, caption: txt }. Known are id, image, images, audio, audios, caption, question,
   * answer, answers, choices, system, messages, conversations; without it columns of these names are read.
   */
  columns?: Record<string, string> | undefined;
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** Folder that relative paths of sounds start from. Default: that of the images. */
  audios?: string | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /** Accept samples without an image or a sound. Default: false. */
  textOnly?: boolean | undefined;
  /**
   * What roles of the file mean beside human, user, gpt, assistant and system: { chatbot: assistant }. Without it a
   * sample with another role is an error.
   */
  roles?: Record<string, "user" | "assistant" | "system"> | undefined;
  /**
   * How a question with choices is asked: they are listed beneath it and its letter is the answer, as LLaVA-1.5 has it,
   * or the question stands alone and the choice's text is the answer. Default: letters.
   */
  choices?: "letters" | "texts" | undefined;
  /** Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all. */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** Arrow, as Hugging Face's datasets saves it (save_to_disk): a folder, one with splits, or one file. */
export interface ArrowSet {
  /** Arrow, as Hugging Face's datasets saves it (save_to_disk): a folder, one with splits, or one file. */
  type: "arrow";
  /** An Arrow file, or a folder written by save_to_disk. */
  path: string;
  /** Of a folder with several. Default: train; for evaluation validation, else test. */
  split?: string | undefined;
  /**
   * Which column is what: { image: jpg, caption: txt }. Known are id, image, images, audio, audios, caption, question,
   * answer, answers, choices, system, messages, conversations; without it columns of these names are read.
   */
  columns?: Record<string, string> | undefined;
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** Folder that relative paths of sounds start from. Default: that of the images. */
  audios?: string | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /** Accept samples without an image or a sound. Default: false. */
  textOnly?: boolean | undefined;
  /**
   * What roles of the file mean beside human, user, gpt, assistant and system: { chatbot: assistant }. Without it a
   * sample with another role is an error.
   */
  roles?: Record<string, "user" | "assistant" | "system"> | undefined;
  /**
   * How a question with choices is asked: they are listed beneath it and its letter is the answer, as LLaVA-1.5 has it,
   * or the question stands alone and the choice's text is the answer. Default: letters.
   */
  choices?: "letters" | "texts" | undefined;
  /** Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all. */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** Tar archives in which the files of a sample stand side by side: 0001.jpg, 0001.txt or 0001.json. */
export interface WebdatasetSet {
  /** Tar archives in which the files of a sample stand side by side: 0001.jpg, 0001.txt or 0001.json. */
  type: "webdataset";
  /** A tar archive, a folder of them, or shard-{000..012}.tar. */
  path: string;
  /** train, validation or test, by the shards' names. Default: train; for evaluation validation, else test. */
  split?: string | undefined;
  /**
   * Which column is what: { image: jpg, caption: txt }. Known are id, image, images, audio, audios, caption, question,
   * answer, answers, choices, system, messages, conversations; without it columns of these names are read.
   */
  columns?: Record<string, string> | undefined;
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** Folder that relative paths of sounds start from. Default: that of the images. */
  audios?: string | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /** Accept samples without an image or a sound. Default: false. */
  textOnly?: boolean | undefined;
  /**
   * What roles of the file mean beside human, user, gpt, assistant and system: { chatbot: assistant }. Without it a
   * sample with another role is an error.
   */
  roles?: Record<string, "user" | "assistant" | "system"> | undefined;
  /**
   * How a question with choices is asked: they are listed beneath it and its letter is the answer, as LLaVA-1.5 has it,
   * or the question stands alone and the choice's text is the answer. Default: letters.
   */
  choices?: "letters" | "texts" | undefined;
  /** Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all. */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** CSV or TSV with a row of names: an image and its caption, a question and its answer, or a conversation. */
export interface CsvSet {
  /** CSV or TSV with a row of names: an image and its caption, a question and its answer, or a conversation. */
  type: "csv";
  /** A CSV or TSV file. */
  path: string;
  /** What stands between cells. Default: a tab in .tsv, else a comma. */
  delimiter?: string | undefined;
  /** Cells may be quoted. Default: false in .tsv, where quotes are characters like others. */
  quotes?: boolean | undefined;
  /**
   * Which column is what: { image: jpg, caption: txt }. Known are id, image, images, audio, audios, caption, question,
   * answer, answers, choices, system, messages, conversations; without it columns of these names are read.
   */
  columns?: Record<string, string> | undefined;
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** Folder that relative paths of sounds start from. Default: that of the images. */
  audios?: string | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /** Accept samples without an image or a sound. Default: false. */
  textOnly?: boolean | undefined;
  /**
   * What roles of the file mean beside human, user, gpt, assistant and system: { chatbot: assistant }. Without it a
   * sample with another role is an error.
   */
  roles?: Record<string, "user" | "assistant" | "system"> | undefined;
  /**
   * How a question with choices is asked: they are listed beneath it and its letter is the answer, as LLaVA-1.5 has it,
   * or the question stands alone and the choice's text is the answer. Default: letters.
   */
  choices?: "letters" | "texts" | undefined;
  /** Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all. */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** Captions as COCO writes them: images and annotations in one JSON object. */
export interface CocoSet {
  /** Captions as COCO writes them: images and annotations in one JSON object. */
  type: "coco";
  /** A captions_*.json. */
  path: string;
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /**
   * One sample per picture: its first caption is learned, and metrics compare with all of them, as COCO's own
   * evaluation does. Default: one sample per caption.
   */
  together?: boolean | undefined;
  /** Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all. */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** A folder of images with metadata.jsonl or metadata.csv (file_name and text), or with a folder per label. */
export interface ImagefolderSet {
  /** A folder of images with metadata.jsonl or metadata.csv (file_name and text), or with a folder per label. */
  type: "imagefolder";
  /** A folder as Hugging Face's imagefolder reads it. */
  path: string;
  /** train, validation or test, by names of folders. Default: train; for evaluation validation, else test. */
  split?: string | undefined;
  /**
   * Which column is what: { image: jpg, caption: txt }. Known are id, image, images, audio, audios, caption, question,
   * answer, answers, choices, system, messages, conversations; without it columns of these names are read.
   */
  columns?: Record<string, string> | undefined;
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** Folder that relative paths of sounds start from. Default: that of the images. */
  audios?: string | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /** Accept samples without an image or a sound. Default: false. */
  textOnly?: boolean | undefined;
  /**
   * What roles of the file mean beside human, user, gpt, assistant and system: { chatbot: assistant }. Without it a
   * sample with another role is an error.
   */
  roles?: Record<string, "user" | "assistant" | "system"> | undefined;
  /**
   * How a question with choices is asked: they are listed beneath it and its letter is the answer, as LLaVA-1.5 has it,
   * or the question stands alone and the choice's text is the answer. Default: letters.
   */
  choices?: "letters" | "texts" | undefined;
  /** Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all. */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** A folder of images or sounds, each beside a text of the same name that is its caption: a.jpg, a.txt. */
export interface FolderSet {
  /** A folder of images or sounds, each beside a text of the same name that is its caption: a.jpg, a.txt. */
  type: "folder";
  /** A folder; those within it are read too. */
  path: string;
  /** How the names of the texts end. Default: txt. */
  extension?: string | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /** Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all. */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** Data sets that a dataset_info.json of LLaMA-Factory names, with its columns and tags. */
export interface LlamaFactorySet {
  /** Data sets that a dataset_info.json of LLaMA-Factory names, with its columns and tags. */
  type: "llama-factory";
  /** A dataset_info.json, or the folder that holds it. */
  path: string;
  /** Name of a data set in it, several as a list or with commas between them. */
  dataset: string | string[];
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** Folder that relative paths of sounds start from. Default: that of the images. */
  audios?: string | undefined;
  /** Accept samples without an image or a sound. Default: false. */
  textOnly?: boolean | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** JSONL with conversations, as LLaVA or as ShareGPT writes them, or with questions and their answers. */
export interface ConversationsSet {
  /** JSONL with conversations, as LLaVA or as ShareGPT writes them, or with questions and their answers. */
  type: "conversations";
  /**
   * A JSONL file, or a .json file that is one list of such objects. Messages may be in OpenAI's form, and images data
   * URIs.
   */
  path: string;
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** Folder that relative paths of sounds start from. Default: that of the images. */
  audios?: string | undefined;
  /** Accept samples without an image or a sound. Default: false. */
  textOnly?: boolean | undefined;
  /**
   * What roles of the file mean beside human, user, gpt, assistant and system: { chatbot: assistant }. Without it a
   * sample with another role is an error.
   */
  roles?: Record<string, "user" | "assistant" | "system"> | undefined;
  /**
   * How a question with choices is asked: they are listed beneath it and its letter is the answer, as LLaVA-1.5 has it,
   * or the question stands alone and the choice's text is the answer. Default: letters.
   */
  choices?: "letters" | "texts" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}

/** JSONL with { image, caption } or { audio, caption } per line. */
export interface CaptionsSet {
  /** JSONL with { image, caption } or { audio, caption } per line. */
  type: "captions";
  /** A JSONL file, or a .json file that is one list of such objects. */
  path: string;
  /** Folder that relative image paths start from. Default: the JSONL file's folder. */
  images?: string | undefined;
  /** Folder that relative paths of sounds start from. Default: that of the images. */
  audios?: string | undefined;
  /** What the model is asked for each image or sound. Default: the checkpoint's own. */
  prompt?: string | undefined;
  /** Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all. */
  concepts?: "seen" | "unseen" | "all" | undefined;
  /** Turn a photo upright by its EXIF tag. Default: true. */
  exif?: boolean | undefined;
  /**
   * Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views says how
   * many pictures there are.
   */
  augment?: AugmentOptions | undefined;
  /** Only so many samples, the first ones. */
  limit?: number | undefined;
}
