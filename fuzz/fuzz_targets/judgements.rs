//! Relevance judgements: read or refused, and read again the same when they are written out.
#![no_main]

use elanus::release::Judgements;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(read) = Judgements::parse(text) else { return };
    let of = |query: &str| {
        let grades = read.of(query).expect("a query that it names");
        grades.iter().map(|(document, grade)| format!("{query} 0 {document} {grade}\n")).collect::<String>()
    };
    let written: String = read.queries().map(of).collect();
    assert_eq!(Judgements::parse(&written).as_ref(), Ok(&read));
});
