//! Every fixture becomes an `.elanus` file that answers as its own file does, or says why not.

use crate::answers::{fixtures, hints};
use elanus::convert::Parts;
use elanus::foreign::{Foreign, Query, SearchParams};
use elanus::index::Structure;
use elanus::segment::{Key, Request, Scratch, Sealed};
use elanus::words::random::SplitMix64;
use elanus::words::{AlignedBuffer, Blob, Code};

const LIMIT: usize = 5;

/// Distances that differ by no more than this are a tie.
const TIE: f32 = 1e-4;

/// Ids and distances; the latter as the file's own metric has them inside.
fn found(sealed: &Sealed, query: &[f32], nprobe: usize) -> Vec<(i64, f32)> {
    let request = Request { limit: LIMIT, nprobe: Some(nprobe), ..Request::new(query) };
    let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
    let id = |row| match sealed.key(row).unwrap() {
        Key::Int64(id) => id,
        Key::VarChar(text) => panic!("the key {text}"),
    };
    hits.iter().map(|hit| (id(hit.row), hit.distance)).collect()
}

#[test]
fn fixtures_are_kept_with_their_answers_or_refused_with_a_reason() {
    let mut random = SplitMix64::new(5);
    let (mut kept, mut refused) = ([0; 3], 0);
    for path in fixtures() {
        let name = path.display();
        let file = AlignedBuffer::copy_of(&std::fs::read(&path).unwrap()).unwrap();
        let index = Foreign::open(file, &hints(&path)).unwrap();
        let parts = match Parts::of_foreign(&index, None) {
            Ok(parts) => parts,
            Err(error) => {
                let expected = [Code::UnsupportedFormat, Code::InvalidArgument];
                assert!(expected.contains(&error.code), "{name}: {error}");
                refused += 1;
                continue;
            }
        };
        let Ok(structure) = &parts.structure else {
            refused += 1;
            continue;
        };
        kept[match structure {
            Structure::Flat => 0,
            Structure::Lists(_) => 1,
            Structure::Graph(_) => 2,
        }] += 1;
        let bytes = match parts.keep(0, "{}".into()) {
            Ok(file) => file.into_bytes(),
            Err(error) => panic!("{name}: {error}"),
        };
        let sealed = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
        sealed.verify().unwrap();
        if index.count() == 0 {
            continue;
        }
        for _ in 0..20 {
            let query: Vec<f32> = (0..index.dimension()).map(|_| random.normal_f32()).collect();
            for nprobe in [1, 3] {
                let params = SearchParams { limit: LIMIT, nprobe: Some(nprobe), ..SearchParams::default() };
                let theirs = index.search(Query::Floats(&query), &params, None).unwrap();
                let ours = found(&sealed, &query, nprobe);
                // Lists that have fewer rows than are asked for are followed by others here, and few rows
                // are compared one by one rather than by a graph: what is found may be nearer.
                if theirs.len() < LIMIT || matches!(structure, Structure::Graph(_)) {
                    continue;
                }
                let scale = theirs.iter().map(|hit| hit.distance.abs()).fold(1e-3, f32::max);
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    let apart = (ours.1 - theirs.distance).abs();
                    assert!(apart < TIE * scale, "{name}: {ours:?} rather than {theirs:?}");
                }
                let same = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours.0 == index.id(theirs.row)).count();
                assert!(same >= LIMIT - 2, "{name}: {ours:?}");
            }
        }
    }
    assert!(kept.iter().all(|&kept| kept > 3) && refused > 3, "{kept:?} kept, {refused} refused");
}
