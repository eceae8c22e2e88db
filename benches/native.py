"""hnswlib, Faiss and usearch, one thread each, driven by lines of JSON on standard input.

Each request is answered by one line: {"result": ...} or {"error": "..."}. Searches take one query at a time and time
each; the few microseconds that a Python call costs are part of it, as a call from JavaScript is part of ours.
"""

import importlib.metadata
import json
import pathlib
import sys
import time
import traceback

import faiss
import hnswlib
import numpy as np
import usearch
import usearch.index

LINKS = 16
EF_CONSTRUCTION = 200
SEED = 42
GRAPH = f"M {LINKS}, efC {EF_CONSTRUCTION}"


class Hnswlib:
    """hnswlib's own graph."""

    settings = [{"ef": ef} for ef in (10, 20, 40, 80, 160, 320)]
    floor = 0.3

    def build(self, base, file):
        index = hnswlib.Index(space="ip", dim=base.shape[1])
        index.init_index(max_elements=len(base), M=LINKS, ef_construction=EF_CONSTRUCTION, random_seed=SEED)
        index.set_num_threads(1)
        index.add_items(base, num_threads=1)
        index.save_index(file)

    def load(self, base, file):
        self.index = hnswlib.Index(space="ip", dim=base.shape[1])
        self.index.load_index(file)
        self.index.set_num_threads(1)

    def prepare(self, setting):
        self.index.set_ef(setting["ef"])

    def search(self, query, limit):
        ids, distances = self.index.knn_query(query, k=limit, num_threads=1)
        return ids[0], 1 - distances[0]


class Usearch:
    """usearch's graph. Its ef is the index's own, so it is set before each turn."""

    settings = [{"ef": ef} for ef in (10, 20, 40, 80, 160, 320)]
    floor = 0.3

    def build(self, base, file):
        index = usearch.index.Index(ndim=base.shape[1], metric="ip", dtype="f32", connectivity=LINKS, expansion_add=EF_CONSTRUCTION)
        index.add(np.arange(len(base)), base, threads=1)
        index.save(file)

    def load(self, base, file):
        self.index = usearch.index.Index.restore(file)

    def prepare(self, setting):
        self.index.expansion_search = setting["ef"]

    def search(self, query, limit):
        found = self.index.search(query[0], limit, threads=1)
        return found.keys, 1 - found.distances


class Faiss:
    """What the Faiss indexes share. They are built for L2, which orders vectors of length 1 like the inner product."""

    def load(self, base, file):
        self.index = faiss.read_index(file)

    def prepare(self, setting):
        self.parameters = self.make_parameters(**setting)

    def search(self, query, limit):
        distances, ids = self.index.search(query, limit, params=self.parameters)
        return ids[0], 1 - distances[0] / 2


class FaissFlat(Faiss):
    settings = [{}]
    floor = 0.99

    def build(self, base, file):
        index = faiss.IndexFlatL2(base.shape[1])
        index.add(base)
        faiss.write_index(index, file)

    def make_parameters(self):
        return None


class FaissHnsw(Faiss):
    settings = [{"ef": ef} for ef in (10, 20, 40, 80, 160, 320)]
    floor = 0.3

    def build(self, base, file):
        index = faiss.IndexHNSWFlat(base.shape[1], LINKS)
        index.hnsw.efConstruction = EF_CONSTRUCTION
        index.add(base)
        faiss.write_index(index, file)

    def make_parameters(self, ef):
        return faiss.SearchParametersHNSW(efSearch=ef)


class FaissIvf(Faiss):
    """Coarse lists, compact codes, and f32 rows to refine the best with."""

    floor = 0.3

    def build(self, base, file):
        index = faiss.index_factory(base.shape[1], self.describe(*base.shape))
        index.train(base)
        index.add(base)
        faiss.write_index(index, file)

    def make_parameters(self, nprobe, k_factor):
        return faiss.IndexRefineSearchParameters(k_factor=k_factor, base_index_params=self.make_inner(nprobe))

    def make_inner(self, nprobe):
        return faiss.SearchParametersIVF(nprobe=nprobe)

    @staticmethod
    def lists(count):
        # A power of two between 1 and 4 times the root of the rows, as Faiss's guide advises.
        return 2 ** round(np.log2(2 * np.sqrt(count)))


class FaissIvfPqFastScan(FaissIvf):
    settings = [{"nprobe": n, "k_factor": 20} for n in (4, 8, 16, 32, 64, 128)]

    def describe(self, count, dimension):
        # One bit a dimension where there are many, two where there are few.
        parts = dimension // 4 if dimension > 128 else dimension // 2
        return f"IVF{self.lists(count)},PQ{parts}x4fs,RFlat"


class FaissIvfPqFastScanAlone(Faiss):
    """Codes alone: what is told apart by them is all that there is."""

    settings = [{"nprobe": n} for n in (4, 8, 16, 32, 64, 128)]
    floor = 0.1

    def build(self, base, file):
        parts = FaissIvfPqFastScan().describe(*base.shape).removesuffix(",RFlat")
        index = faiss.index_factory(base.shape[1], parts)
        index.train(base)
        index.add(base)
        faiss.write_index(index, file)

    def make_parameters(self, nprobe):
        return faiss.SearchParametersIVF(nprobe=nprobe)


class FaissIvfRabitq(FaissIvf):
    settings = [{"nprobe": n, "k_factor": 20} for n in (4, 8, 16, 32, 64, 128)]

    def describe(self, count, dimension):
        return f"IVF{self.lists(count)},RaBitQfs,RFlat"

    def make_inner(self, nprobe):
        # Queries in 8 bits: FastScan's tables need some number of bits.
        return faiss.IVFRaBitQSearchParameters(nprobe=nprobe, qb=8)


ENGINES = {
    "Faiss Flat": FaissFlat,
    f"hnswlib HNSW ({GRAPH})": Hnswlib,
    f"usearch HNSW ({GRAPH})": Usearch,
    f"Faiss HNSW ({GRAPH})": FaissHnsw,
    "Faiss IVF-PQ FastScan": FaissIvfPqFastScan,
    "Faiss IVF-RaBitQ FastScan": FaissIvfRabitq,
}

# What is only measured where it is asked for by its name.
OTHERS = {"Faiss IVF-PQ FastScan alone": FaissIvfPqFastScanAlone}
ALL = ENGINES | OTHERS


class Server:
    def __init__(self):
        self.open = {}
        self.base = self.queries = None

    def versions(self):
        return {
            "python": sys.version.split()[0],
            "hnswlib": importlib.metadata.version("hnswlib"),
            "usearch": f"{usearch.__version__}",
            "faiss": f"{faiss.__version__} ({faiss.get_compile_options().strip()})",
        }

    def use_dataset(self, folder, dimension, queries):
        folder = pathlib.Path(folder)
        self.base = np.fromfile(folder / "base.f32", np.float32).reshape(-1, dimension)
        self.queries = np.fromfile(folder / "queries.f32", np.float32).reshape(-1, dimension)[:queries]

    def engines(self):
        """Engines that this Faiss has, tried on a few vectors."""
        found, missing = [], []
        for name, engine in ENGINES.items():
            if hasattr(engine, "describe"):
                try:
                    faiss.index_factory(64, engine().describe(1000, 64))
                except RuntimeError as error:
                    missing.append({"engine": name, "reason": str(error).splitlines()[-1]})
                    continue
            found.append({"engine": name, "settings": engine.settings, "floor": engine.floor})
        return {"found": found, "missing": missing}

    def settings(self, engine):
        return ALL[engine].settings

    def build(self, engine, file):
        ALL[engine]().build(self.base, file)

    def load(self, engine, file):
        started = time.perf_counter()
        self.open[engine] = ALL[engine]()
        self.open[engine].load(self.base, file)
        return {"openMs": 1000 * (time.perf_counter() - started)}

    def search(self, engine, setting, first, last, limit):
        index = self.open[engine]
        index.prepare(setting)
        answer = {"ids": [], "similarities": [], "ms": []}
        for row in range(first, last):
            query = self.queries[row : row + 1]
            started = time.perf_counter_ns()
            ids, similarities = index.search(query, limit)
            answer["ms"].append((time.perf_counter_ns() - started) / 1e6)
            answer["ids"].append(ids.tolist())
            answer["similarities"].append(similarities.tolist())
        return answer

    def close_all(self):
        self.open.clear()
        self.base = self.queries = None


def main():
    faiss.omp_set_num_threads(1)
    server = Server()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": getattr(server, request.pop("method"))(**request)}
        except Exception as error:  # The other side decides what to do about it.
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
