/** Index files made by the native command line tool. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "./tarball.mjs";

/** Where the command is. */
export const cli = process.env.ELANUS_CLI ?? path.join(root, "target", "release", "elanus");

/**
 * Builds an index file and returns its bytes.
 *
 * @param {string} folder for the input and the file
 * @param {Float32Array[]} vectors
 * @param {{ args?: string[], rows?: object[] | string[], card?: object }} [options] args: more of `elanus build`;
 *   rows: metadata, as objects or as lines of JSON
 */
export function buildIndex(folder, vectors, { args = [], rows, card } = {}) {
  if (!existsSync(cli)) throw new Error(`${cli} is missing; build it with \`cargo build --release\``);
  const dimension = vectors[0].length;
  const file = (name) => path.join(folder, name);
  writeFileSync(file("rows.f32"), joined(vectors));
  const more = [...args];
  if (rows) {
    writeFileSync(file("rows.jsonl"), rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row)) + "\n").join(""));
    more.push("--metadata", file("rows.jsonl"));
  }
  if (card) {
    writeFileSync(file("card.json"), JSON.stringify(card));
    more.push("--card", file("card.json"));
  }
  execFileSync(cli, ["build", file("rows.f32"), "--dimension", `${dimension}`, "-o", file("out.elanus"), ...more], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return readFileSync(file("out.elanus"));
}

/**
 * The answers of `elanus search` to these queries.
 *
 * @param {string} file an index file
 * @param {Float32Array[]} queries
 * @returns {{ row: number, distance: number }[][]}
 */
export function searchNatively(file, queries, limit) {
  const input = `${file}.queries.f32`;
  writeFileSync(input, joined(queries));
  const lines = execFileSync(cli, ["search", file, input, "--limit", `${limit}`, "--json", "--quiet"], { encoding: "utf8", maxBuffer: 1 << 26 });
  // Written as the shortest text of a 32-bit float; JavaScript reads it as a longer one.
  const plain = ({ row, distance }) => ({ row, distance: Math.fround(distance) });
  return lines.trim().split("\n").map((line) => JSON.parse(line).hits.map(plain));
}

/** Vectors, one behind the other. */
export function joined(vectors) {
  const dimension = vectors[0].length;
  const matrix = new Float32Array(vectors.length * dimension);
  vectors.forEach((vector, row) => matrix.set(vector, row * dimension));
  return matrix;
}
