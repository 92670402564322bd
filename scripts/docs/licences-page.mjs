/** The page of licences: every package that an installed Thaw may bring along, from the lockfile. */
export function licencesPage({ packages }) {
  const rows = Object.entries(packages)
    .filter(([path, { dev, link }]) => path.includes("node_modules/") && dev !== true && link !== true)
    .map(([path, { version, license = "(not stated)" }]) => [path.split("node_modules/").at(-1), version, license])
    .filter(([name]) => !name.startsWith("@thaw/"));
  const lines = [...new Set(rows.map((cells) => `| ${cells.join(" | ")} |`))].toSorted();
  const counts = new Map();
  for (const [, , license] of rows) counts.set(license, (counts.get(license) ?? 0) + 1);
  const summary = [...counts]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, n]) => `${name}: ${n}`);
  return `# Licences of dependencies

<!-- Generated from package-lock.json by \`node scripts/docs.mjs\`. -->

Every package that a published package of Thaw may install, platforms' builds included. Thaw itself is Apache-2.0.

${summary.join(", ")}.

| package | version | licence |
| --- | --- | --- |
${lines.join("\n")}
`;
}
