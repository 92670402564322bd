import { createHash } from "node:crypto";
import type { SampleMedia } from "@thaw/contracts";

/** What tells an item from others: where its bytes lie, or the bytes themselves. */
export function mediaKey({ source }: SampleMedia): string {
  switch (source.kind) {
    case "file":
      return source.path;
    case "range":
      return `${source.path}\n${source.offset}`;
    case "cell":
      return [source.path, source.row, source.column, source.item ?? ""].join("\n");
    case "svg":
      return createHash("sha256").update(source.svg).digest("hex");
    case "bytes":
      return createHash("sha256").update(source.bytes).digest("hex");
  }
}
