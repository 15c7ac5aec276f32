/** Prints the run's result as one plain line, last, for scripts to read. */
export default class ClosingLineReporter {
  /**
   * @param {unknown} _contexts
   * @param {{ numPassedTests: number, numFailedTests: number, numRuntimeErrorTestSuites: number,
   *   numPendingTests: number, numTodoTests: number }} results
   */
  onRunComplete(_contexts, results) {
    // A suite that could not even load has no tests to count, and must not look like a pass.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const line = `tests: ${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`;
    // Jest's own summary comes after every reporter, in this same turn.
    setImmediate(() => process.stdout.write(line));
  }
}
