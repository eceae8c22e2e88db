// The loop that anybody would write: every product, the ten largest kept in order.

export function build({ base, dimension, count }) {
  return {
    search(query, limit) {
      const ids = new Int32Array(limit).fill(-1);
      const similarities = new Float64Array(limit).fill(-Infinity);
      for (let row = 0, at = 0; row < count; row++, at += dimension) {
        let [a, b, c, d, i] = [0, 0, 0, 0, 0];
        for (; i + 3 < dimension; i += 4) {
          a += query[i] * base[at + i];
          b += query[i + 1] * base[at + i + 1];
          c += query[i + 2] * base[at + i + 2];
          d += query[i + 3] * base[at + i + 3];
        }
        for (; i < dimension; i++) a += query[i] * base[at + i];
        const product = a + b + (c + d);
        if (product <= similarities[limit - 1]) continue;
        let place = limit - 1;
        for (; place > 0 && similarities[place - 1] < product; place--) {
          similarities[place] = similarities[place - 1];
          ids[place] = ids[place - 1];
        }
        similarities[place] = product;
        ids[place] = row;
      }
      return { ids, similarities };
    },
  };
}
