import { create, insertMultiple, searchVector } from "@orama/orama";

const ROWS_AT_ONCE = 5000;

export async function build({ base, dimension, count }) {
  const index = create({ schema: { vector: `vector[${dimension}]` } });
  for (let row = 0; row < count; row += ROWS_AT_ONCE) {
    const end = Math.min(row + ROWS_AT_ONCE, count);
    const rows = Array.from({ length: end - row }, (_, i) => ({
      id: String(row + i),
      vector: Array.from(base.subarray((row + i) * dimension, (row + i + 1) * dimension)),
    }));
    await insertMultiple(index, rows, rows.length);
  }
  return {
    async search(query, limit, { similarity }) {
      const found = await searchVector(index, { mode: "vector", vector: { value: query, property: "vector" }, limit, similarity, includeVectors: false });
      return { ids: found.hits.map(({ id }) => Number(id)), similarities: found.hits.map(({ score }) => score) };
    },
  };
}
