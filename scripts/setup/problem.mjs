/**
 * A failure that a newcomer can act on: what went wrong, and what to do about it.
 * Anything else that is thrown is a fault of these scripts and is shown with its stack.
 */
export class Problem extends Error {
  /**
   * @param {string} message what went wrong, in a sentence
   * @param {{ remedy?: string, output?: string, log?: string }} [more]
   *   remedy: what to do; output: the last lines a command printed; log: file with all of it
   */
  constructor(message, { remedy, output, log } = {}) {
    super(message);
    this.name = "Problem";
    this.remedy = remedy;
    this.output = output;
    this.log = log;
  }

  /** The same problem with a remedy, for callers that know more about the command than it did. */
  withRemedy(remedy) {
    return new Problem(this.message, { remedy, output: this.output, log: this.log });
  }
}

/** Writes a problem to stderr as plain lines. */
export function showProblem(error) {
  const lines = [""];
  if (error instanceof Problem) {
    lines.push(`Problem: ${error.message}`);
    if (error.output) lines.push("", indent(error.output));
    if (error.log) lines.push("", `Full output: ${error.log}`);
    if (error.remedy) lines.push("", `What to do: ${error.remedy}`);
  } else {
    lines.push(error?.stack ?? String(error));
  }
  process.stderr.write(`${lines.join("\n")}\n`);
}

function indent(text) {
  return text.split("\n").map((line) => `  | ${line}`).join("\n");
}
