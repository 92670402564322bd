/** Prints the closing line that CI reads: `N passed, N failed`. */
export default class CiReporter {
  onTestRunEnd(modules, unhandledErrors = []) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      for (const test of tests) counts[test.result().state] = (counts[test.result().state] ?? 0) + 1;
      if (module.state() === "failed" && tests.every((test) => test.result().state !== "failed")) counts.failed += 1;
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
    console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`);
  }
}
