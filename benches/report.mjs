import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { plot } from "./plot.mjs";

const TARGETS = [0.9, 0.95, 0.99];

/** Writes report.md, results.json and the plots; returns what to print. */
export async function writeReport(report, folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "results.json"), `${JSON.stringify(report, null, 1)}\n`);
  for (const dataset of report.datasets) {
    writeFileSync(path.join(folder, `${dataset.name}.svg`), await plot(dataset, report.limit));
  }
  writeFileSync(path.join(folder, "report.md"), markdown(report));
  const tables = report.datasets.map((dataset) => `${heading(dataset)}\n\n${aligned(fastest(dataset))}\n\n${aligned(everything(dataset, report))}\n`);
  return `\n${tables.join("\n")}\nWritten to ${folder}\n`;
}

function markdown(report) {
  const { machine } = report;
  const about = Object.entries(machine).map(([key, value]) => `${key} ${value}`).join("; ");
  const parts = [
    `# Benchmark of ${report.when.slice(0, 10)}`,
    `One thread each. recall@${report.limit} against exact search in f64, ties counted by distance. Times are of one query at a time, called from JavaScript (Elanus, in Chromium) or Python (native), over ${report.rounds} rounds in short turns among all settings. Build times are of one thread, from the run that built the index; opening is from memory (Elanus, every checksum verified) or from a file (native). "MB held" is WebAssembly memory for Elanus; for others it is that and what the tab holds in JavaScript.`,
    `Machine: ${about}.`,
  ];
  for (const dataset of report.datasets) {
    const load = dataset.load.map((x) => x.toFixed(1)).join(" before, ");
    parts.push(
      `## ${heading(dataset)}`,
      `Source: ${dataset.source}. Load of the machine: ${load} after.`,
      `![recall against time](${dataset.name}.svg)`,
      `### Fastest setting at a recall`,
      piped(fastest(dataset)),
      `### All settings`,
      piped(everything(dataset, report)),
    );
  }
  return `${parts.join("\n\n")}\n`;
}

function heading({ title, count, dimension, queries }) {
  return `${title}: ${count.toLocaleString("en")} × ${dimension}, ${queries} queries`;
}

/** For each engine and place the fastest setting that reaches each target. */
function fastest({ rows }) {
  const kinds = [...new Set(rows.map((row) => `${row.engine}|${row.place}`))];
  const table = [["engine", "where", ...TARGETS.map((target) => `µs at recall ≥ ${target}`)]];
  for (const kind of kinds) {
    const own = rows.filter((row) => `${row.engine}|${row.place}` === kind && !row.wrong);
    const cells = TARGETS.map((target) => {
      const best = own.filter((row) => row.recall >= target).sort((a, b) => a.p50 - b.p50)[0];
      return best ? `${micros(best.p50)} (${best.setting})` : "–";
    });
    table.push([...kind.split("|"), ...cells]);
  }
  return table;
}

function everything({ rows, failed }, { limit }) {
  const head = ["engine", "where", "setting", `recall@${limit}`, "p50 µs", "p95 µs", "p99 µs", "bytes a vector", "MB", "MB held", "build s", "open ms", "first answer ms", ""];
  const cells = rows.map((row) => [
    row.engine,
    row.place,
    row.setting,
    row.recall.toFixed(4),
    micros(row.p50),
    micros(row.p95),
    micros(row.p99),
    figure(row.bytesPerVector),
    figure(row.bytes / 1e6, 1),
    figure(row.heldBytes / 1e6, 1),
    figure(row.buildSeconds, 1),
    figure(row.openMs),
    figure(row.firstAnswerMs),
    row.wrong ? `WRONG: ${row.wrong}` : "",
  ]);
  const broken = failed.map(({ engine, place, reason }) => [engine, place, ...head.slice(2, -1).map(() => "–"), `FAILED: ${reason}`]);
  return [head, ...cells, ...broken];
}

function figure(number, digits = 0) {
  return Number.isFinite(number) ? number.toFixed(digits) : "–";
}

export function micros(ms) {
  return (ms * 1000).toFixed(ms < 0.1 ? 1 : 0);
}

export function piped([head, ...rows]) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export function aligned(table) {
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const numbers = table[0].map((_, column) => column > 0 && table.slice(1).every((row) => /^[\d.,–]+$/.test(row[column])));
  const pad = (cell, column) => (numbers[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]));
  return table.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}
