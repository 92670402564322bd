/**
 * `npm run check:publish [package ...]`: packs each package that is to be published as npm would, and judges what is in
 * the tarball: exports and files by publint, the types as each module resolution finds them by are-the-types-wrong,
 * and a README and a licence. Of all packages also that `etc/*.api.md` say what they export. Nothing is sent anywhere.
 * One line per finding, and the sizes; exit 1 if there is one.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { outdatedReports } from "./api-reports.mjs";
import { installSite } from "./site.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Thaw's packages are modules alone: what only `require` of before Node 20.19 meets is no fault of theirs. */
const EXPECTED = ["CJSResolvesToESM"];
/** `node10` knows no exports, so that no entry below the first is there for it. */
const RESOLUTIONS = ["node16-cjs", "node16-esm", "bundler"];

const wanted = process.argv.slice(2);
const folders = readdirSync(join(root, "packages")).filter((name) => {
  const isWanted = wanted.length === 0 || wanted.includes(name);
  return isWanted && JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8")).private !== true;
});

const say = (line) => process.stdout.write(`${line}\n`);

/** What is wrong with one package; its size goes to standard output. */
async function findingsOf(name, tarballs) {
  const folder = join(root, "packages", name);
  const told = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", tarballs], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ filename, size, unpackedSize, files }] = Object.values(JSON.parse(told));
  const kilobytes = (bytes) => `${Math.ceil(bytes / 1000)} kB`;
  say(`${name}: ${files.length} files, ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked`);
  const bytes = readFileSync(join(tarballs, filename));
  const tarball = new Uint8Array(bytes).buffer;
  const { messages, pkg } = await publint({ strict: true, pack: { tarball } });
  const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)));
  const wrong = (analysis.types === false ? [] : analysis.problems).filter(
    ({ kind, resolutionKind = "bundler" }) => !EXPECTED.includes(kind) && RESOLUTIONS.includes(resolutionKind),
  );
  const missing = ["README.md", "LICENSE"].filter((file) => files.every(({ path }) => path !== file));
  return [
    ...messages.map((message) => formatMessage(message, pkg, { color: false })),
    ...wrong.map(({ kind, entrypoint = "", resolutionKind = "" }) => `types: ${kind} ${entrypoint} ${resolutionKind}`),
    ...missing.map((file) => `${file} is not in the package`),
  ];
}

const tarballs = mkdtempSync(join(tmpdir(), "thaw-publish-"));
let count = 0;
try {
  for (const name of folders)
    for (const finding of await findingsOf(name, tarballs)) {
      count += 1;
      say(`  ${finding}`);
    }
} finally {
  rmSync(tarballs, { recursive: true, force: true });
}
if (wanted.length === 0) {
  installSite();
  for (const name of outdatedReports()) {
    count += 1;
    say(`etc/${name}.api.md is not what ${name} exports; run npm run api-reports`);
  }
}
say(`${folders.length} packages, ${count === 0 ? "nothing wrong" : `${count} findings`}.`);
process.exit(count === 0 ? 0 : 1);
