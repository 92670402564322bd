/** Name of a file or folder without what its kind adds: `test` for `/x/test.jsonl.gz`. */
export function fileName(path: string): string {
  const last = path.split(/[\\/]/).findLast((part) => part !== "");
  return last?.replace(/(?:\.(?:jsonl?|ndjson|csv|tsv|parquet|arrow|tar))?(?:\.(?:gz|zst))?$/i, "") ?? path;
}

/** A set's name, with the part of its concepts where it is not all of them: `twemoji-unseen`. */
export function nameWithConcepts(name: string, concepts: string | undefined): string {
  return concepts === undefined || concepts === "all" ? name : `${name}-${concepts}`;
}
