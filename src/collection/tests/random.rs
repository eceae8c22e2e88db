//! Thousands of random operations, kills and reloads among them; after each, answers are compared
//! with the model's.

use super::disk::{Disk, Kill};
use super::model::{DIMENSION, Model, Test, draft, key, schema, vector};
use crate::collection::{Collection, Entity, Job, Limits, Request, Search, Write};
use crate::segment::Key;
use crate::words::Blob;
use crate::words::random::SplitMix64;

struct Run {
    random: SplitMix64,
    keys: u32,
    limits: Limits,
    disk: Disk,
    collection: Collection,
    model: Model,
    job: Option<(Job, Option<Vec<u8>>)>,
    kills: usize,
    requests: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let (disk, collection) = Disk::create(schema(&mut random)).unwrap();
        let growing_rows = [8, 60, 1500][random.below(3) as usize];
        let limits = Limits { growing_rows, log_bytes: 1 << 20, fan: 2 + random.below(3) as usize, segment_rows: 6000 };
        let keys = [50, 400, 4000][random.below(3) as usize];
        Run { random, keys, limits, disk, collection, model: Model::default(), job: None, kills: 0, requests: 0 }
    }

    fn some_keys(&mut self, most: u32) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for _ in 0..self.random.below(most) {
            let key = key(self.collection.schema(), &mut self.random, self.keys);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// Now and then the browser is killed in its middle.
    fn kill(&mut self, bytes: usize) -> Kill {
        (self.random.below(40) == 0).then(|| self.random.below(bytes as u32 + 2) as usize)
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=5 => self.put(false),
            6..=8 => self.put(true),
            9..=10 => {
                let keys = self.some_keys(12);
                let write = self.collection.delete(&keys).unwrap();
                self.commit(write, |model| model.delete(&keys));
            }
            11 => {
                let test = Test::random(self.collection.schema(), &mut self.random, self.keys);
                // All at once would leave little to test.
                let Some(text) = test.text().filter(|_| !matches!(test, Test::Null | Test::Default)) else { return };
                let write = self.collection.delete_where(Some(text.as_str())).unwrap();
                self.commit(write, |model| {
                    let keys: Vec<Key> = model.passing(&test).iter().map(|(entity, _)| entity.key.clone()).collect();
                    model.delete(&keys);
                });
            }
            12 => {
                self.reopen();
            }
            13 => self.freeze(),
            _ => self.work(),
        }
        if self.collection.is_full(&self.limits) {
            self.freeze();
        }
    }

    fn put(&mut self, replace: bool) {
        let schema = self.collection.schema().clone();
        let mut keys = self.some_keys(if replace { 10 } else { 40 });
        if replace && schema.primary.auto_id {
            keys.retain(|key| self.model.get(key).is_some());
        }
        if !replace {
            let taken = keys.iter().find(|key| self.model.get(key).is_some()).cloned();
            if let Some(key) = taken.filter(|_| !schema.primary.auto_id) {
                let (mut one, _) = draft(&schema, &mut self.random);
                one.key = Some(key);
                assert!(self.collection.insert(vec![0.0; DIMENSION], vec![one]).is_err(), "a key went in twice");
            }
            keys.retain(|key| self.model.get(key).is_none());
        }
        let (mut vectors, mut drafts, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for key in keys {
            let (given, stored) = vector(schema.vector.metric, &mut self.random);
            let (mut draft, values) = draft(&schema, &mut self.random);
            draft.key = (replace || !schema.primary.auto_id).then(|| key.clone());
            expected.push((Entity { key, values, document: draft.document.clone() }, stored));
            vectors.extend(given);
            drafts.push(draft);
        }
        let write = match replace {
            true => self.collection.upsert(vectors, drafts).unwrap(),
            false => self.collection.insert(vectors, drafts).unwrap(),
        };
        for ((entity, _), key) in expected.iter_mut().zip(write.keys()) {
            assert!(schema.primary.auto_id || entity.key == *key);
            assert!(replace || self.model.get(key).is_none(), "a key was given twice");
            entity.key = key.clone();
        }
        self.commit(write, |model| model.put(expected));
    }

    fn commit(&mut self, write: Write, apply: impl FnOnce(&mut Model)) {
        let request = Request { client: self.random.below(3).into(), number: self.requests };
        self.requests += 1;
        let (keys, changes) = (write.keys().to_vec(), !write.bytes().is_empty());
        let named = changes && request.client > 0;
        let write = if named { write.naming(request).unwrap() } else { write };
        let kill = self.kill(write.bytes().len());
        // A write that is whole on the disk counts, whether or not anybody was told of it.
        let whole = self.disk.append(self.collection.log(), &write, kill);
        if whole {
            apply(&mut self.model);
        }
        if kill.is_some() {
            self.kills += 1;
            let lost = self.reopen();
            assert!(whole == (lost == 0) || kill == Some(0), "a torn tail wasn't reported");
        } else {
            self.collection.apply(write).unwrap();
        }
        let answer = (named && whole).then_some(&keys[..]);
        assert_eq!(self.collection.answer(request), answer, "asked again");
    }

    fn freeze(&mut self) {
        let next = self.collection.log() + 1;
        let kill = self.kill(32);
        self.disk.start_log(next, kill);
        match kill {
            None => self.collection.freeze(),
            Some(_) => drop(self.reopen()),
        }
    }

    /// One of the steps of sealing and compaction; writes may come between them.
    fn work(&mut self) {
        match self.job.take() {
            None => {
                let planned = match self.random.below(30) {
                    0 => self.collection.plan_all(),
                    _ => self.collection.plan(&self.limits),
                };
                self.job = planned.unwrap().map(|job| (job, None));
            }
            Some((job, None)) => match job.build().unwrap() {
                None => self.finish(job, None),
                Some(bytes) => self.job = Some((job, Some(bytes))),
            },
            Some((job, bytes)) => self.finish(job, bytes),
        }
    }

    fn finish(&mut self, job: Job, bytes: Option<Vec<u8>>) {
        if let Some(bytes) = &bytes {
            let kill = self.kill(bytes.len());
            self.disk.write_segment(job.file(), bytes, kill);
            if kill.is_some() {
                self.kills += 1;
                self.reopen();
                return;
            }
        }
        let blob = bytes.map(|bytes| Blob::copy_of(&bytes).unwrap());
        let manifest = self.collection.finish(job, blob).unwrap();
        let kill = self.kill(manifest.encode().len());
        self.disk.write_manifest(&manifest, kill);
        if kill.is_some() {
            self.kills += 1;
            self.reopen();
        } else {
            self.disk.sweep(&manifest);
        }
    }

    /// Starts anew from what is on the disk; bytes of the last log that were cut.
    fn reopen(&mut self) -> u64 {
        self.job = None;
        let (collection, replayed) = self.disk.open().unwrap();
        self.collection = collection;
        replayed.iter().map(|log| log.cut + u64::from(log.keep == 0)).sum()
    }

    fn check(&mut self) {
        let schema = self.collection.schema().clone();
        let metric = schema.vector.metric;
        let test = Test::random(&schema, &mut self.random, self.keys);
        let text = test.text();
        let filter = text.as_deref();
        assert_eq!(self.collection.live(), self.model.rows.len());
        let mut passing: Vec<Key> = self.model.passing(&test).iter().map(|(entity, _)| entity.key.clone()).collect();
        passing.sort();
        assert_eq!(self.collection.count(filter).unwrap(), passing.len(), "count of {filter:?}");
        let (limit, offset) = (1 + self.random.below(30) as usize, self.random.below(6) as usize);
        let places = self.collection.query(filter, Some(limit), offset).unwrap();
        let entities = self.collection.entities(&places, true).unwrap();
        let expected: Vec<Entity> =
            passing.iter().skip(offset).take(limit).map(|key| self.model.get(key).unwrap().0.clone()).collect();
        assert_eq!(entities, expected, "query of {filter:?}");

        let (query, stored) = vector(metric, &mut self.random);
        let mut hits = self.model.search(metric, &stored, &test);
        let radius = (self.random.below(4) == 0).then(|| self.random.below(9) as f32 - 3.0);
        hits.retain(|&(_, distance)| {
            radius.is_none_or(|r| if metric == crate::words::Metric::L2 { distance < r } else { distance > r })
        });
        let search = Search { limit, offset, filter: filter.into(), radius, ..Search::new(&query) };
        let found: Vec<(Key, f32)> = self
            .collection
            .search(&search)
            .unwrap()
            .into_iter()
            .map(|hit| (self.collection.key(hit.place).unwrap(), hit.distance))
            .collect();
        let expected: Vec<_> = hits.into_iter().skip(offset).take(limit).collect();
        assert_eq!(found, expected, "search of {query:?} with {filter:?}");

        let key = key(&schema, &mut self.random, self.keys);
        let mut vector = [0.0; DIMENSION];
        let place = self.collection.find(&key);
        assert_eq!(place.is_some(), self.model.get(&key).is_some(), "get of {key}");
        if let Some(place) = place {
            self.collection.vector(place, &mut vector).unwrap();
            assert_eq!(vector[..], self.model.get(&key).unwrap().1, "vector of {key}");
        }
    }
}

/// Runs a seed, and says which it was if it fails, so that it can be run alone. Returns its kills.
fn run(seed: u64, operations: usize) -> usize {
    let mut run = Run::new(seed);
    for operation in 0..operations {
        let step = std::panic::AssertUnwindSafe(|| {
            run.step();
            run.check();
        });
        assert!(std::panic::catch_unwind(step).is_ok(), "seed {seed}, operation {operation}: see above");
    }
    run.reopen();
    run.check();
    run.kills
}

#[test]
fn answers_are_those_of_the_model() {
    let kills: usize = (0..24).map(|seed| run(seed, 400)).sum();
    assert!(kills > 50, "{kills} kills are too few to trust in");
}

/// 100,000 operations.
#[test]
#[ignore = "takes minutes: npm run test:long"]
fn answers_are_those_of_the_model_for_long() {
    let base = std::env::var("ELANUS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1000);
    let kills: usize = (base..base + 20).map(|seed| run(seed, 5000)).sum();
    assert!(kills > 1000, "{kills} kills are too few to trust in");
}
