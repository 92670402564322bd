/**
 * Puts files into pages: a fence whose info string says `from=PATH` holds that file's text, or the part of it between
 * the comments `// #region NAME` and `// #endregion` for `from=PATH#NAME`. `read(path)` gives a file's text.
 * @param {string} markdown
 * @param {(path: string) => string} read
 */
export function withIncludes(markdown, read) {
  return markdown.replace(/^(```\w+ from=(\S+)[^\n]*\n)[\s\S]*?^```$/gm, (_, fence, target) => {
    const [path, region] = target.split("#");
    const source = read(path);
    return `${fence}${(region === undefined ? source : regionOf(source, region, path)).trimEnd()}\n\`\`\``;
  });
}

/** @param {string} source @param {string} name @param {string} path */
function regionOf(source, name, path) {
  const match = new RegExp(`^\\s*// #region ${name}\\n([\\s\\S]*?)^\\s*// #endregion`, "m").exec(source);
  if (match === null) throw new Error(`${path} has no region ${name}.`);
  return match[1];
}
