//! `elanus convert`: what it writes, and what it refuses with which remedy.

use crate::workshop::{Workshop, little, npy, vectors};

fn with_vectors() -> Workshop {
    let shop = Workshop::new();
    shop.put("x.npy", npy("<f4", 600, 8, &little(&vectors(600, 8, 1))));
    shop.put("q.npy", npy("<f4", 5, 8, &little(&vectors(5, 8, 2))));
    shop
}

#[test]
fn what_goes_to_faiss_and_back_answers_alike() {
    let shop = with_vectors();
    for index_type in ["FLAT", "IVF_FLAT --nlist 9", "HNSW --rerank f32"] {
        shop.run(&format!("build x.npy --metric L2 --index-type {index_type} -o a.elanus")).ok();
        let ran = shop.run("convert a.elanus b.faiss --json").json();
        assert_eq!((ran["count"].as_u64(), &ran["left_behind"]), (Some(600), &serde_json::json!([])));
        shop.run("convert b.faiss c.elanus").ok();
        shop.run("verify c.elanus").ok();
        let search = |file: &str| shop.run(&format!("search {file} q.npy --nprobe 2 --ef 10")).ok();
        assert_eq!(search("a.elanus"), search("c.elanus"), "{index_type}");
    }
}

#[test]
fn indexes_are_built_anew_on_the_way() {
    let shop = with_vectors();
    shop.run("build x.npy --metric L2 --index-type FLAT -o a.elanus").ok();
    shop.run("convert a.elanus graph.bin --to hnswlib --index-type HNSW --rerank f32").ok();
    let info = shop.run("info graph.bin --metric L2 --json").json();
    assert_eq!((info["format"].as_str(), info["count"].as_u64()), (Some("hnswlib"), Some(600)));
    let ran = shop.run("convert graph.bin small.elanus --metric L2 --index-type IVF_RABITQ --nlist 8 --json").json();
    assert_eq!(ran["index_type"], "IVF_RABITQ");
    shop.run("convert graph.bin same.npy --metric L2").ok();
    assert_eq!(shop.read("same.npy")[128..], shop.read("x.npy")[shop.read("x.npy").len() - 4 * 8 * 600..]);
    shop.run("convert same.npy same.fvecs").ok();
    shop.run("build same.fvecs --metric L2 --index-type FLAT -o b.elanus").ok();
    assert_eq!(shop.read("a.elanus"), shop.read("b.elanus"));
}

#[test]
fn refusals_name_the_option_that_helps() {
    let shop = with_vectors().with_collection(20, 4);
    shop.put("rabitq.faiss", include_bytes!("../fixtures/foreign/faiss/ivf-rabitq1.faiss"));
    shop.put("l1.faiss", include_bytes!("../fixtures/foreign/faiss/flat-l1.faiss"));
    shop.put("deleted.bin", include_bytes!("../fixtures/foreign/hnswlib/l2-deleted.bin"));
    shop.run("convert rabitq.faiss a.elanus").failed(3, &["can't answer", "RaBitQ", "--index-type"]);
    shop.run("convert rabitq.faiss a.elanus --index-type FLAT").ok();
    shop.run("convert l1.faiss a.elanus").failed(3, &["L1", "--as-metric"]);
    shop.run("convert l1.faiss a.elanus --as-metric L2").ok();
    shop.run("convert deleted.bin a.elanus --metric L2").failed(3, &["marked as deleted", "--index-type HNSW"]);
    let rebuilt = shop.run("convert deleted.bin b.elanus --metric L2 --index-type HNSW --json").json();
    assert!(rebuilt["count"].as_u64() < shop.run("info deleted.bin --metric L2 --json").json()["count"].as_u64());
    shop.run("convert x.npy a.bin").failed(2, &["--to"]);
    shop.run("convert x.npy a.bin --to hnswlib").failed(3, &["--index-type HNSW"]);
    shop.run("convert x.npy x.npy").failed(2, &["another path"]);
    shop.run("convert x.npy a.elanus --nlist 3").failed(2, &["--index-type"]);

    shop.run("build vectors.npy --metadata rows.jsonl --id-field id --metric L2 --index-type FLAT -o m.elanus").ok();
    shop.run("convert m.elanus n.elanus").failed(2, &["stored fields"]);
    shop.run("convert m.elanus n.faiss").failed(3, &["--row-numbers"]);
    assert!(shop.run("convert m.elanus n.faiss --row-numbers").ok().contains("left behind: fields to filter by"));
}
