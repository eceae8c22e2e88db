// Numbers as the page prints them.

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const whole = (n: number) => grouped.format(n);
export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Of a file of any size. */
export const fileSize = (bytes: number) => (bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : megabytes(bytes));

/** Browsers round their clocks to 0.1 ms or 1 ms, so finer digits would be invented. */
export function milliseconds(ms: number): string {
  if (ms < 0.1) return "< 0.1 ms";
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(0)} ms`;
}

/** Nearest-rank percentile; `values` need not be sorted. */
export function percentile(values: readonly number[], p: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
}
