/** Where the scale of misses ends: with 500 queries for ten rows each, little below it can be told from none. */
const BEST_MISS = 0.0005;

/** Recall against time for a data set, as SVG; time upward on a logarithmic scale, so lower right is better. */
export async function plot({ title, count, dimension, rows }, limit) {
  // Loaded here: a run that only asks for help has not installed them yet.
  const [{ compile }, { parse, View }] = await Promise.all([import("vega-lite"), import("vega")]);
  const values = rows
    .filter((row) => !row.wrong)
    .map(({ engine, place, recall, p50 }) => ({ engine, place, recall, micros: p50 * 1000 }));
  const lowest = Math.max(0, Math.min(...values.filter(({ recall }) => recall >= 0.5).map(({ recall }) => recall)));
  const shown = values.filter(({ recall }) => recall >= lowest);
  const [engines, places] = ["engine", "place"].map((key) => [...new Set(shown.map((value) => value[key]))]);
  const encoding = {
    // Misses rather than hits on the scale: 0.99 and 0.999 differ as much as 0.9 and 0.99.
    x: {
      field: "miss",
      type: "quantitative",
      title: `recall@${limit}`,
      scale: { type: "log", reverse: true, domain: [BEST_MISS, Math.max(0.1, 1 - lowest)] },
      axis: { values: [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, BEST_MISS], labelExpr: `(datum.value <= ${BEST_MISS} ? '≥ ' : '') + format(1 - datum.value, '.4~f')` },
    },
    y: { field: "micros", type: "quantitative", title: "µs a query (median)", scale: { type: "log", nice: true } },
    color: { field: "engine", type: "nominal", title: "engine", sort: engines, scale: { scheme: "tableau20" } },
    detail: { field: "place" },
  };
  const { spec } = compile({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: `${title}: ${count.toLocaleString("en")} vectors of ${dimension} dimensions, one thread`,
    width: 720,
    height: 440,
    background: "white",
    data: { values: shown.map((value) => ({ ...value, miss: Math.max(1 - value.recall, BEST_MISS) })) },
    encoding,
    layer: [
      { mark: { type: "line", strokeWidth: 1.5 }, encoding: { order: { field: "recall", type: "quantitative" } } },
      {
        mark: { type: "point", filled: true, size: 45 },
        encoding: { shape: { field: "place", type: "nominal", title: "where", sort: places } },
      },
    ],
    config: { font: "sans-serif", axis: { gridColor: "#e4e4e4" }, legend: { labelLimit: 320 } },
  });
  return new View(parse(spec), { renderer: "none" }).toSVG();
}
