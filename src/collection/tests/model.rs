//! What a collection is to answer, worked out in the plainest way.

use crate::collection::{DataType, Draft, Entity, Field, KeyType, Primary, Schema, VectorField};
use crate::filter::Value;
use crate::segment::Key;
use crate::words::Metric;
use crate::words::random::SplitMix64;

pub(super) const DIMENSION: usize = 4;

/// Entities in the order in which they came.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) rows: Vec<(Entity, Vec<f32>)>,
}

impl Model {
    pub(super) fn delete(&mut self, keys: &[Key]) {
        self.rows.retain(|(entity, _)| !keys.contains(&entity.key));
    }

    pub(super) fn put(&mut self, entities: Vec<(Entity, Vec<f32>)>) {
        let keys: Vec<Key> = entities.iter().map(|(entity, _)| entity.key.clone()).collect();
        self.delete(&keys);
        self.rows.extend(entities);
    }

    pub(super) fn get(&self, key: &Key) -> Option<&(Entity, Vec<f32>)> {
        self.rows.iter().find(|(entity, _)| entity.key == *key)
    }

    pub(super) fn passing(&self, test: &Test) -> Vec<&(Entity, Vec<f32>)> {
        self.rows.iter().filter(|(entity, _)| test.holds(entity)).collect()
    }

    /// Keys and public distances, nearest first.
    pub(super) fn search(&self, metric: Metric, query: &[f32], test: &Test) -> Vec<(Key, f32)> {
        let mut hits: Vec<(f32, Key)> = self
            .passing(test)
            .into_iter()
            .map(|(entity, vector)| {
                let pairs = || query.iter().zip(vector);
                let distance = match metric {
                    Metric::L2 => pairs().map(|(a, b)| (a - b) * (a - b)).sum(),
                    _ => 0.0 - pairs().map(|(a, b)| a * b).sum::<f32>(),
                };
                (distance, entity.key.clone())
            })
            .collect();
        // Stable: equally near ones stay in the order in which they came.
        hits.sort_by(|a, b| a.0.total_cmp(&b.0));
        hits.into_iter().map(|(distance, key)| (key, metric.to_public(distance))).collect()
    }
}

pub(super) fn schema(random: &mut SplitMix64) -> Schema {
    let varchar = random.below(2) == 0;
    let nullable = |name: &str, data_type| Field { nullable: true, ..Field::new(name, data_type) };
    Schema {
        primary: Primary {
            name: "id".into(),
            key_type: if varchar { KeyType::VarChar { max_length: 20 } } else { KeyType::Int64 },
            auto_id: !varchar && random.below(3) == 0,
        },
        vector: VectorField {
            name: "v".into(),
            dimension: DIMENSION as u32,
            metric: Metric::DENSE[random.below(3) as usize],
        },
        fields: vec![
            nullable("n", DataType::Int32),
            nullable("s", DataType::VarChar { max_length: 10 }),
            Field::new("f", DataType::Bool),
            Field { default: Some(Value::Double(1.5)), ..Field::new("d", DataType::Double) },
        ],
        dynamic: random.below(2) == 0,
    }
}

/// A vector, and as it is stored. All distances between such vectors are exact in 32 bits, so that
/// any way of summing gives the same.
pub(super) fn vector(metric: Metric, random: &mut SplitMix64) -> (Vec<f32>, Vec<f32>) {
    if metric != Metric::Cosine {
        let vector: Vec<f32> = (0..DIMENSION).map(|_| random.below(7) as f32 - 3.0).collect();
        return (vector.clone(), vector);
    }
    let scale = (random.below(5)) as f32;
    let mut stored = vec![0.0; DIMENSION];
    if random.below(2) == 0 {
        stored.iter_mut().for_each(|x| *x = if random.below(2) == 0 { 0.5 } else { -0.5 });
    } else {
        stored[random.below(DIMENSION as u32) as usize] = 1.0;
    }
    let given = stored.iter().map(|x| x * scale).collect();
    if scale == 0.0 {
        stored.fill(0.0);
    }
    (given, stored)
}

pub(super) fn key(schema: &Schema, random: &mut SplitMix64, keys: u32) -> Key {
    let number = random.below(keys);
    match schema.has_varchar_keys() {
        true => Key::VarChar(format!("k{number}é")),
        false if number.is_multiple_of(16) && !schema.primary.auto_id => Key::Int64(i64::MAX - 1 - i64::from(number)),
        false => Key::Int64(i64::from(number)),
    }
}

/// The rest of an entity, and its values as they are stored.
pub(super) fn draft(schema: &Schema, random: &mut SplitMix64) -> (Draft, Vec<Value<'static>>) {
    let n = if random.below(4) == 0 { Value::Null } else { Value::Int64(i64::from(random.below(20)) - 10) };
    let s = match random.below(5) {
        0 => Value::Null,
        i => Value::VarChar(["", "a", "ab", "b_é"][i as usize - 1].into()),
    };
    let d = if random.below(3) == 0 { Value::Null } else { Value::Double(f64::from(random.below(8)) / 4.0) };
    let mut values = vec![n, s, Value::Bool(random.below(2) == 0), d];
    let document = match schema.dynamic && random.below(2) == 0 {
        true => format!("{{\"x\":{}}}", random.below(1000)),
        false => String::new(),
    };
    let draft = Draft { key: None, values: values.clone(), document };
    if values[3] == Value::Null {
        values[3] = Value::Double(1.5);
    }
    (draft, values)
}

/// A condition, as text and as what it means.
pub(super) enum Test {
    All,
    Above(i64),
    NotAboveAndFlag(i64),
    Text(&'static str),
    Prefix(&'static str),
    Null,
    Keys(Vec<Key>),
    Default,
}

impl Test {
    pub(super) fn random(schema: &Schema, random: &mut SplitMix64, keys: u32) -> Test {
        let bound = i64::from(random.below(20)) - 10;
        match random.below(9) {
            0 | 1 => Test::All,
            2 => Test::Above(bound),
            3 => Test::NotAboveAndFlag(bound),
            4 => Test::Text(["", "a", "b_é", "zz"][random.below(4) as usize]),
            5 => Test::Prefix(["", "a", "b"][random.below(3) as usize]),
            6 => Test::Null,
            7 => Test::Keys((0..random.below(6)).map(|_| key(schema, random, keys)).collect()),
            _ => Test::Default,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        Some(match self {
            Test::All => return None,
            Test::Above(n) => format!("n > {n}"),
            Test::NotAboveAndFlag(n) => format!("not (n > {n}) and f"),
            Test::Text(text) => format!("s == \"{text}\""),
            Test::Prefix(prefix) => format!("s like \"{prefix}%\""),
            Test::Null => "n is null or s is null".into(),
            Test::Keys(keys) => format!("id in [{}]", keys.iter().map(Key::to_string).collect::<Vec<_>>().join(", ")),
            Test::Default => "d == 1.5".into(),
        })
    }

    fn holds(&self, Entity { key, values, .. }: &Entity) -> bool {
        let n = match values[0] {
            Value::Int64(n) => Some(n),
            _ => None,
        };
        let s = match &values[1] {
            Value::VarChar(text) => Some(text),
            _ => None,
        };
        match self {
            Test::All => true,
            Test::Above(bound) => n.is_some_and(|n| n > *bound),
            Test::NotAboveAndFlag(bound) => n.is_some_and(|n| n <= *bound) && values[2] == Value::Bool(true),
            Test::Text(text) => s.is_some_and(|s| s == text),
            Test::Prefix(prefix) => s.is_some_and(|s| s.starts_with(prefix)),
            Test::Null => n.is_none() || s.is_none(),
            Test::Keys(keys) => keys.contains(key),
            Test::Default => values[3] == Value::Double(1.5),
        }
    }
}
