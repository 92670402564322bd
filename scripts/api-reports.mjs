/**
 * `npm run api-reports`: writes what each published package exports, types and all, into `etc/<package>.api.md`, so
 * that a change of the public API shows in a diff. Reads the built `dist/index.d.ts`; `npm run
 * check:publish` compares. The extractor comes from site/'s lockfile, with the TypeScript that it reads types by.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { installSite } from "./site.mjs";
import { root } from "./prepare.mjs";

const REPORTS = join(root, "etc");
const WORK = join(root, "site/.api");

/** Of every package that is published and has types: its name in the repository. */
export function reportedPackages() {
  return readdirSync(join(root, "packages")).filter((name) => {
    const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
    return manifest.private !== true && existsSync(join(root, "packages", name, "dist/index.d.ts"));
  });
}

/** The report of one package, as it is now. `@throws` where its types cannot be read */
export function apiReport(name) {
  const { Extractor, ExtractorConfig } = createRequire(join(root, "site/package.json"))("@microsoft/api-extractor");
  mkdirSync(WORK, { recursive: true });
  const quiet = { default: { logLevel: "none" } };
  const extractorConfig = ExtractorConfig.prepare({
    configObject: {
      projectFolder: join(root, "packages", name),
      mainEntryPointFilePath: "<projectFolder>/dist/index.d.ts",
      newlineKind: "lf",
      compiler: { tsconfigFilePath: join(root, "site/tsconfig.json"), skipLibCheck: true },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: WORK,
        reportTempFolder: WORK,
        includeForgottenExports: false,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: quiet,
        extractorMessageReporting: quiet,
        tsdocMessageReporting: quiet,
      },
    },
    packageJsonFullPath: join(root, "packages", name, "package.json"),
    configObjectFullPath: undefined,
  });
  Extractor.invoke(extractorConfig, { localBuild: true, messageCallback: (message) => (message.handled = true) });
  return readFileSync(join(WORK, `${name}.api.md`), "utf8");
}

/** Names of the packages whose report is not what they export now. */
export function outdatedReports() {
  return reportedPackages().filter((name) => {
    const file = join(REPORTS, `${name}.api.md`);
    return !existsSync(file) || readFileSync(file, "utf8") !== apiReport(name);
  });
}

if (process.argv[1] === import.meta.filename) {
  installSite();
  mkdirSync(REPORTS, { recursive: true });
  for (const name of reportedPackages()) writeFileSync(join(REPORTS, `${name}.api.md`), apiReport(name));
  rmSync(WORK, { recursive: true, force: true });
}
