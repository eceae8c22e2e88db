import { execFile } from "node:child_process";

/** Runs a benchmark's command and gives what it said, whatever its exit code. */
export function bench(script, ...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}
