//! What is refused, and what is kept through sealing, one case at a time.

use super::disk::Disk;
use crate::collection::{
    Catalog, Collection, DataType, Draft, Field, KeyType, Limits, Manifest, Primary, Schema, Search, VectorField,
};
use crate::filter::Value;
use crate::segment::Key;
use crate::words::{Blob, Code, Metric, Result};

fn put(collection: &mut Collection, vectors: Vec<f32>, keys: impl IntoIterator<Item = i64>) -> Result<Vec<Key>> {
    let drafts = keys.into_iter().map(|key| Draft::of(Key::Int64(key))).collect();
    let write = collection.insert(vectors, drafts)?;
    Ok(collection.apply(write)?.keys)
}

fn seal_all(collection: &mut Collection, limits: &Limits) -> Manifest {
    collection.freeze();
    let mut last = collection.manifest();
    while let Some(job) = collection.plan(limits).unwrap() {
        let file = job.build().unwrap().map(|bytes| Blob::copy_of(&bytes).unwrap());
        last = collection.finish(job, file).unwrap();
    }
    last
}

#[test]
fn what_does_not_fit_the_schema_is_refused_whole() {
    let schema = Schema {
        fields: vec![
            Field::new("small", DataType::Int8),
            Field::new("word", DataType::VarChar { max_length: 3 }),
            Field { nullable: true, ..Field::new("x", DataType::Float) },
        ],
        dynamic: false,
        ..Schema::quick(2, Metric::L2)
    };
    let collection = Collection::create(schema).unwrap();
    let good = || vec![Value::Int64(127), Value::from("abc"), Value::Double(0.1)];
    let try_one = |key: Option<Key>, values: Vec<Value<'static>>, document: &str, vector: &[f32]| {
        let drafts = vec![
            Draft { key: Some(Key::Int64(100)), values: good(), document: String::new() },
            Draft { key, values, document: document.into() },
        ];
        collection.insert([&[1.0, 2.0], vector].concat(), drafts).map(drop).map_err(|error| (error.code, error.message))
    };
    let one = || Some(Key::Int64(1));
    let with = |at: usize, value: Value<'static>| {
        let mut values = good();
        values[at] = value;
        values
    };
    assert_eq!(try_one(one(), good(), "", &[0.0, 0.0]), Ok(()));
    let cases = [
        (try_one(None, good(), "", &[0.0, 0.0]), "no primary key"),
        (try_one(Some(Key::VarChar("a".into())), good(), "", &[0.0, 0.0]), "a 64-bit integer"),
        (try_one(Some(Key::Int64(100)), good(), "", &[0.0, 0.0]), "have the key 100"),
        (try_one(one(), with(0, Value::Int64(128)), "", &[0.0, 0.0]), "doesn't fit 8 bits"),
        (try_one(one(), with(0, Value::Null), "", &[0.0, 0.0]), "no value for field \"small\""),
        (try_one(one(), with(0, Value::from("1")), "", &[0.0, 0.0]), "Int8"),
        (try_one(one(), with(1, Value::from("abcd")), "", &[0.0, 0.0]), "4 bytes, of which it takes 3"),
        (try_one(one(), with(2, Value::Double(1e39)), "", &[0.0, 0.0]), "too large for 32 bits"),
        (try_one(one(), with(2, Value::Double(f64::NAN)), "", &[0.0, 0.0]), "not finite"),
        (try_one(one(), good()[..2].to_vec(), "", &[0.0, 0.0]), "2 values for 3 fields"),
        (try_one(one(), good(), "{\"more\":1}", &[0.0, 0.0]), "enable dynamic fields"),
        (try_one(one(), good(), "", &[0.0]), "3 came"),
        (try_one(one(), good(), "", &[0.0, f32::NAN]), "row 1 holds NaN"),
        (try_one(one(), good(), "", &[0.0, 1e19]), "squared length"),
    ];
    for (found, part) in cases {
        let (code, message) = found.unwrap_err();
        assert!(code == Code::InvalidInput && message.contains(part), "{message}");
    }
}

#[test]
fn schemas_that_no_collection_can_have_are_refused() {
    let quick = || Schema::quick(2, Metric::L2);
    let field = |name: &str, data_type| Schema { fields: vec![Field::new(name, data_type)], ..quick() };
    let varchar = |max_length| Primary { name: "id".into(), key_type: KeyType::VarChar { max_length }, auto_id: false };
    let bad = [
        Schema::quick(0, Metric::L2),
        Schema::quick(2, Metric::Bm25),
        field("id", DataType::Bool),
        field("vector", DataType::Bool),
        field("a b", DataType::Bool),
        field("like", DataType::Bool),
        field("a", DataType::VarChar { max_length: 0 }),
        field("a", DataType::VarChar { max_length: 65_536 }),
        Schema { primary: varchar(0), ..quick() },
        Schema { primary: Primary { auto_id: true, ..varchar(9) }, ..quick() },
        Schema {
            fields: vec![Field { default: Some(Value::Int64(128)), ..Field::new("a", DataType::Int8) }],
            ..quick()
        },
    ];
    for schema in bad {
        let error = Collection::create(schema.clone()).err();
        assert_eq!(error.map(|error| error.code), Some(Code::InvalidArgument), "{schema:?}");
    }
}

/// Large enough for several chunks of a growing part and for the scan over codes.
#[test]
fn a_large_part_answers_the_same_when_it_is_sealed() {
    let (rows, dimension) = (6000, 128);
    let schema = Schema {
        fields: vec![Field::new("third", DataType::Int64)],
        vector: VectorField { name: "v".into(), dimension, metric: Metric::Cosine },
        ..Schema::quick(2, Metric::L2)
    };
    let mut random = crate::words::random::SplitMix64::new(5);
    let mut collection = Collection::create(schema).unwrap();
    let vectors: Vec<f32> = (0..rows * dimension).map(|_| random.normal_f32()).collect();
    let drafts = (0..i64::from(rows)).map(|row| Draft {
        key: Some(Key::Int64(row)),
        values: vec![Value::Int64(row % 3)],
        document: format!("{{\"row\":{row}}}"),
    });
    let write = collection.insert(vectors.clone(), drafts.collect()).unwrap();
    collection.apply(write).unwrap();
    let write = collection.delete_where(Some("id < 100")).unwrap();
    assert_eq!(write.keys().len(), 100);
    collection.apply(write).unwrap();

    let ask = |collection: &mut Collection, exact| {
        let mut answers = Vec::new();
        for query in vectors.chunks_exact(dimension as usize).step_by(97) {
            let search = Search { exact, filter: Some("third != 1").into(), ..Search::new(query) };
            let found = collection.search(&search).unwrap();
            let places: Vec<_> = found.iter().map(|hit| hit.place).collect();
            let entities = collection.entities(&places, true).unwrap();
            answers.push((found.iter().map(|hit| hit.distance).collect::<Vec<_>>(), entities));
        }
        answers
    };
    let growing = ask(&mut collection, true);
    let limits = Limits::of(collection.schema());
    seal_all(&mut collection, &limits);
    assert_eq!(collection.live(), 5900);
    assert_eq!(ask(&mut collection, true), growing);
    let scanned = ask(&mut collection, false);
    let (mut found, mut all) = (0, 0);
    for ((_, scanned), (_, exact)) in scanned.iter().zip(&growing) {
        found += exact.iter().filter(|entity| scanned.contains(entity)).count();
        all += exact.len();
    }
    assert!(found as f64 >= 0.97 * all as f64, "{found} of {all}");
}

#[test]
fn nothing_is_given_back_for_a_write_that_is_out_of_date() {
    let mut collection = Collection::create(Schema::quick(1, Metric::L2)).unwrap();
    let first = collection.insert(vec![1.0], vec![Draft::of(Key::Int64(1))]).unwrap();
    put(&mut collection, vec![2.0], [2]).unwrap();
    assert_eq!(collection.apply(first).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(collection.live(), 1);
    assert!(collection.delete(&[Key::Int64(77)]).unwrap().bytes().is_empty());
}

#[test]
fn a_job_is_refused_when_its_parts_have_changed() {
    let mut collection = Collection::create(Schema::quick(1, Metric::L2)).unwrap();
    let limits = Limits { growing_rows: 2, ..Limits::of(collection.schema()) };
    put(&mut collection, vec![1.0, 2.0], [1, 2]).unwrap();
    collection.freeze();
    let (one, other) = (collection.plan(&limits).unwrap().unwrap(), collection.plan(&limits).unwrap().unwrap());
    let file = |job: &crate::collection::Job| Some(Blob::copy_of(&job.build().unwrap().unwrap()).unwrap());
    // What goes while the job is built is gone of what it built.
    let built = file(&one);
    let write = collection.delete(&[Key::Int64(1)]).unwrap();
    collection.apply(write).unwrap();
    let manifest = collection.finish(one, built).unwrap();
    assert_eq!(manifest.segments[0].deleted.iter().collect::<Vec<_>>(), [0]);
    assert_eq!((collection.live(), manifest.first_log), (1, 1));
    let built = file(&other);
    assert_eq!(collection.finish(other, built).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn compaction_gives_back_the_space_and_ends() {
    let mut collection = Collection::create(Schema::quick(8, Metric::L2)).unwrap();
    let limits = Limits { growing_rows: 100, log_bytes: 1 << 20, fan: 2, segment_rows: 250 };
    for first in (0..1000).step_by(100) {
        put(&mut collection, vec![first as f32; 800], first..first + 100).unwrap();
        seal_all(&mut collection, &limits);
    }
    let rows = |manifest: &Manifest| manifest.segments.iter().map(|s| s.deleted.len()).sum::<usize>();
    let before = collection.manifest();
    assert_eq!((rows(&before), before.segments.len()), (1000, 5));
    let write = collection.delete_where(Some("id >= 500")).unwrap();
    collection.apply(write).unwrap();
    let after = seal_all(&mut collection, &limits);
    assert_eq!((rows(&after), collection.live()), (500, 500));
    let last = collection.plan_all().unwrap().unwrap();
    assert_eq!(last.entities(), 500);
}

#[test]
fn keys_that_were_given_are_not_given_again() {
    let schema = || Schema {
        primary: Primary { auto_id: true, ..Schema::quick(1, Metric::L2).primary },
        ..Schema::quick(1, Metric::L2)
    };
    let (mut disk, mut collection) = Disk::create(schema()).unwrap();
    let write = collection.insert(vec![1.0, 2.0], vec![Draft::default(); 2]).unwrap();
    disk.append(0, &write, None);
    assert_eq!(collection.apply(write).unwrap().keys, [Key::Int64(1), Key::Int64(2)]);
    let write = collection.delete(&[Key::Int64(2)]).unwrap();
    disk.append(0, &write, None);
    collection.apply(write).unwrap();
    let manifest = {
        disk.start_log(1, None);
        collection.freeze();
        let job = collection.plan(&Limits::of(&schema())).unwrap().unwrap();
        let bytes = job.build().unwrap().unwrap();
        disk.write_segment(job.file(), &bytes, None);
        collection.finish(job, Some(Blob::copy_of(&bytes).unwrap())).unwrap()
    };
    disk.write_manifest(&manifest, None);
    let (again, _) = disk.open().unwrap();
    let write = again.insert(vec![3.0], vec![Draft::default()]).unwrap();
    assert_eq!(write.keys(), [Key::Int64(3)]);
    let given = again.insert(vec![3.0], vec![Draft::of(Key::Int64(9))]);
    assert_eq!(given.unwrap_err().code, Code::InvalidInput);
    let unknown = again.upsert(vec![3.0], vec![Draft::of(Key::Int64(2))]);
    assert_eq!(unknown.unwrap_err().code, Code::InvalidInput);
}

#[test]
fn names_and_aliases_change_in_one_step() {
    let mut catalog = Catalog::default();
    assert_eq!((catalog.create("a"), catalog.create("b")), (Ok(0), Ok(1)));
    assert_eq!(catalog.create("a").unwrap_err().code, Code::CollectionExists);
    assert_eq!(catalog.create("not a name").unwrap_err().code, Code::InvalidArgument);
    catalog.create_alias("live", "a").unwrap();
    assert_eq!(catalog.create_alias("live", "b").unwrap_err().code, Code::CollectionExists);
    assert_eq!(catalog.find("live"), Ok(("a", 0)));
    catalog.alter_alias("live", "b").unwrap();
    assert_eq!(catalog.find("live"), Ok(("b", 1)));
    assert_eq!(catalog.drop_collection("b").unwrap_err().code, Code::InvalidArgument);
    assert_eq!(catalog.drop_collection("live").unwrap_err().code, Code::InvalidArgument);
    catalog.rename("live", "c").unwrap();
    assert_eq!((catalog.find("live"), catalog.find("b").unwrap_err().code), (Ok(("c", 1)), Code::CollectionNotFound));
    assert_eq!(Catalog::decode(&catalog.encode()), Ok(catalog.clone()));
    let older = catalog.encode();
    catalog.drop_alias("live").unwrap();
    assert_eq!(catalog.drop_collection("c"), Ok(1));
    assert_eq!(catalog.create("c"), Ok(2), "a number was given twice");
    let newer = catalog.encode();
    assert_eq!(Catalog::newest([Some(&older), Some(&newer)]), Ok(catalog));
    assert!(Catalog::newest([Some(&older), Some(&newer[..20])]).unwrap().find("live").is_ok());
    assert_eq!(Catalog::newest([None, None]), Ok(Catalog::default()));
    assert_eq!(Catalog::newest([None, Some(&newer[..20])]).unwrap_err().code, Code::CorruptFile);
}
