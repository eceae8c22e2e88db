/** Where the scale of misses ends: with 500 queries for ten rows each, little below it can be told from none. */
const BEST_MISS = 0.0005;

/** Recall against time for a data set, as SVG; time upward on a logarithmic scale, so lower right is better. */
export async function plot({ title, count, dimension, rows }, limit) {
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
  return draw({
    title: `${title}: ${count.toLocaleString("en")} vectors of ${dimension} dimensions, one thread`,
    data: { values: shown.map((value) => ({ ...value, miss: Math.max(1 - value.recall, BEST_MISS) })) },
    encoding,
    layer: [
      { mark: { type: "line", strokeWidth: 1.5 }, encoding: { order: { field: "recall", type: "quantitative" } } },
      {
        mark: { type: "point", filled: true, size: 45 },
        encoding: { shape: { field: "place", type: "nominal", title: "where", sort: places } },
      },
    ],
  });
}

/** Share of the rows that pass a filter against time, as SVG; both on logarithmic scales. */
export async function plotFilters({ title, count, dimension, rows }, limit) {
  const values = rows.map(({ engine, pass, p50 }) => ({ engine, share: pass / count, micros: p50 * 1000 }));
  return draw({
    title: `${title}: ${count.toLocaleString("en")} vectors of ${dimension} dimensions, the ${limit} nearest that pass`,
    data: { values },
    encoding: {
      x: { field: "share", type: "quantitative", title: "rows that pass the filter", scale: { type: "log", reverse: true }, axis: { labelExpr: "datum.value >= 0.01 ? format(datum.value, '.0%') : format(datum.value, '.0e')" } },
      y: { field: "micros", type: "quantitative", title: "µs a query (median)", scale: { type: "log", nice: true } },
      color: { field: "engine", type: "nominal", title: "index", sort: [...new Set(rows.map((row) => row.engine))], scale: { scheme: "tableau10" } },
    },
    layer: [{ mark: { type: "line", strokeWidth: 1.5 } }, { mark: { type: "point", filled: true, size: 45 } }],
  });
}

async function draw(chart) {
  // Loaded here: a run that only asks for help has not installed them yet.
  const [{ compile }, { parse, View }] = await Promise.all([import("vega-lite"), import("vega")]);
  const { spec } = compile({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width: 720,
    height: 440,
    background: "white",
    config: { font: "sans-serif", axis: { gridColor: "#e4e4e4" }, legend: { labelLimit: 320 } },
    ...chart,
  });
  return new View(parse(spec), { renderer: "none" }).toSVG();
}
