import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";

const ROWS_AT_ONCE = 5000;

export async function build({ base, dimension, count }, { graph }) {
  const db = await PGlite.create({ extensions: { vector } });
  await db.exec(`CREATE EXTENSION vector; CREATE TABLE rows (id int4, embedding vector(${dimension}));`);
  for (let row = 0; row < count; row += ROWS_AT_ONCE) {
    const lines = [];
    for (let i = row; i < Math.min(row + ROWS_AT_ONCE, count); i++) {
      lines.push(`${i}\t[${base.subarray(i * dimension, (i + 1) * dimension).join(",")}]\n`);
    }
    await db.query("COPY rows FROM '/dev/blob'", [], { blob: new Blob(lines) });
  }
  if (graph) {
    await db.exec("SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 0;");
    await db.exec(`CREATE INDEX ON rows USING hnsw (embedding vector_ip_ops) WITH (m = ${graph.m}, ef_construction = ${graph.efConstruction});`);
  }
  let set;
  return {
    async search(query, limit, { ef = 40 }) {
      if (graph && set !== ef) await db.exec(`SET hnsw.ef_search = ${(set = ef)};`);
      const { rows } = await db.query("SELECT id, embedding <#> $1 AS distance FROM rows ORDER BY distance LIMIT $2", [`[${query.join(",")}]`, limit]);
      return { ids: rows.map(({ id }) => id), similarities: rows.map(({ distance }) => -distance) };
    },
  };
}
