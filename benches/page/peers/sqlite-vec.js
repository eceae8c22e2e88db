import start from "sqlite-vec";

export async function build({ base, dimension, count }) {
  const sqlite = await start();
  const db = new sqlite.oo1.DB(":memory:");
  db.exec(`CREATE VIRTUAL TABLE rows USING vec0(embedding float[${dimension}] distance_metric=cosine)`);
  db.exec("BEGIN");
  const insert = db.prepare("INSERT INTO rows (rowid, embedding) VALUES (?, ?)");
  for (let row = 0; row < count; row++) {
    insert.bind(1, row).bind(2, blob(base, row * dimension, dimension)).stepReset();
  }
  insert.finalize();
  db.exec("COMMIT");
  const nearest = db.prepare("SELECT rowid, distance FROM rows WHERE embedding MATCH ? AND k = ? ORDER BY distance");
  return {
    search(query, limit) {
      nearest.bind(1, blob(query, 0, dimension)).bind(2, limit);
      const [ids, similarities] = [[], []];
      while (nearest.step()) {
        ids.push(nearest.get(0));
        similarities.push(1 - nearest.get(1));
      }
      nearest.reset();
      return { ids, similarities };
    },
  };
}

function blob(numbers, start, length) {
  return new Uint8Array(numbers.buffer, numbers.byteOffset + 4 * start, 4 * length);
}
