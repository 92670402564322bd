import type { DatasetFormat } from "@thaw/contracts";
import { arrowFormat } from "./arrow/arrow.js";
import { cocoFormat } from "./coco/coco.js";
import { csvFormat } from "./csv/csv.js";
import { folderFormat } from "./folder/folder.js";
import { imageFolderFormat } from "./imagefolder/imagefolder.js";
import { llamaFactoryFormat } from "./llama-factory/llama-factory.js";
import { parquetFormat } from "./parquet/parquet.js";
import { webDatasetFormat } from "./webdataset/webdataset.js";
import { captionsFormat } from "./captions/captions.js";
import { conversationsFormat } from "./conversations/conversations.js";
import { iconifyFormat } from "./iconify/iconify.js";

/**
 * Thaw's own formats, each of a folder of its own. What a path holds is asked in this order: the first that recognises
 * it reads it.
 */
export const BUILT_IN_FORMATS: readonly DatasetFormat[] = [
  iconifyFormat,
  parquetFormat,
  arrowFormat,
  webDatasetFormat,
  csvFormat,
  cocoFormat,
  imageFolderFormat,
  folderFormat,
  llamaFactoryFormat,
  conversationsFormat,
  captionsFormat,
];
