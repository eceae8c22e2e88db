//! Files that are changed at random: flipped, cut off, with forged counts, with parts of others in them. What
//! reads them must come back soon, without a panic, having held little memory.

use crate::memory::most_memory;
use elanus::words::random::SplitMix64;
use std::fmt::Write as _;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Numbers that counts, sizes and offsets are forged to.
const NASTY: [u64; 11] =
    [0, 1, 255, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 33, 1 << 40, 1 << 62, u64::MAX / 8, u64::MAX];

/// What is put into texts, and into heads that are texts.
const TEXTS: [&str; 12] =
    ["NaN", "1e999", "-", "[", "]", "{", "\"", "null", ",", "\n", "18446744073709551616", "4294967296, "];

/// Where most counts are.
const HEAD: usize = 400;

/// What a reader may hold beside twice the file.
const SLACK: usize = 16 << 20;

const MOST_TIME: Duration = Duration::from_secs(1);

/// A place, half of the time in the head; any other anywhere.
fn place(random: &mut SplitMix64, length: usize) -> usize {
    let within = if random.below(2) == 0 { length.min(HEAD) } else { length };
    random.below(within.max(1) as u32) as usize
}

/// One change. `other` is a file of the same format.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut SplitMix64) -> &'static str {
    if bytes.is_empty() {
        return "left empty";
    }
    let at = place(random, bytes.len());
    match random.below(9) {
        0 => {
            bytes[at] ^= 1 << random.below(8);
            "flipped a bit"
        }
        1 => {
            bytes[at] = random.next_u64() as u8;
            "changed a byte"
        }
        2 | 3 => {
            // Counts lie at multiples of 4, or a tag, a flag or a byte behind one.
            let at = if random.below(2) == 0 { at & !3 } else { at };
            let number = NASTY[random.below(NASTY.len() as u32) as usize].to_le_bytes();
            let end = bytes.len().min(at + if random.below(2) == 0 { 4 } else { 8 });
            bytes[at..end].copy_from_slice(&number[..end - at]);
            "forged a count"
        }
        4 => {
            // A count that is nearly right is the hardest to tell.
            let at = (at & !3).min(bytes.len().saturating_sub(4));
            if let Some(Ok(old)) = bytes.get(at..at + 4).map(<[u8; 4]>::try_from) {
                let shift = random.below(5).wrapping_sub(2);
                bytes[at..at + 4].copy_from_slice(&u32::from_le_bytes(old).wrapping_add(shift).to_le_bytes());
            }
            "moved a count"
        }
        5 => {
            bytes.truncate(at);
            "cut it off"
        }
        6 => {
            let from = place(random, other.len()).min(other.len());
            let length = random.below(512) as usize;
            let part = &other[from..other.len().min(from + length)];
            let end = bytes.len().min(at + part.len());
            match random.below(2) {
                0 => drop(bytes.splice(at..end, part.iter().copied())),
                _ => bytes[at..end].copy_from_slice(&part[..end - at]),
            }
            "crossed it with another"
        }
        7 => {
            let text = TEXTS[random.below(TEXTS.len() as u32) as usize].as_bytes();
            let end = bytes.len().min(at + random.below(12) as usize);
            bytes.splice(at..end, text.iter().copied());
            "put in a text"
        }
        _ => {
            let length = (1 + random.below(256) as usize).min(bytes.len() - at);
            let part = bytes[at..at + length].to_vec();
            let to = place(random, bytes.len());
            match random.below(3) {
                0 => drop(bytes.splice(to..to, part)),
                1 => drop(bytes.drain(at..at + length)),
                _ => {
                    let end = bytes.len().min(to + length);
                    bytes[to..end].copy_from_slice(&part[..end - to]);
                }
            }
            "moved a section"
        }
    }
}

/// What reading a file took.
pub struct Took<T> {
    pub result: T,
    pub time: Duration,
    /// The most memory that was held, in bytes.
    pub held: usize,
}

/// Reads a file within the limits, or fails with its name.
pub fn within_limits<T>(name: &str, bytes: &[u8], read: &(dyn Fn(&[u8]) -> T + RefUnwindSafe)) -> Took<T> {
    let once = || {
        let start = Instant::now();
        let (caught, held) = most_memory(|| catch_unwind(|| read(bytes)));
        Took { result: caught.unwrap_or_else(|_| panic!("{name}: panicked")), time: start.elapsed(), held }
    };
    // A machine that does other things meanwhile isn't the file's fault: slow is what is slow each time.
    let mut took = once();
    for _ in 0..3 {
        if took.time < MOST_TIME {
            break;
        }
        took = once();
    }
    assert!(took.time < MOST_TIME, "{name}: took {:?}", took.time);
    assert!(took.held < 2 * bytes.len() + SLACK, "{name}: held {} bytes for a file of {}", took.held, bytes.len());
    took
}

/// Whether a reader took the file, given the number of its original and its bytes.
type Read = Box<dyn Fn(usize, &[u8]) -> bool + RefUnwindSafe + Sync>;

/// Files of one format, and what reads them.
pub struct Format {
    pub name: String,
    pub originals: Vec<Vec<u8>>,
    pub read: Read,
}

#[derive(Default)]
struct Outcome {
    refused: usize,
    slowest: Duration,
    /// Memory beyond twice the file.
    most: usize,
}

fn mutate(format: &Format, each: usize, seed: u64) -> Outcome {
    let mut random = SplitMix64::new(seed);
    let mut outcome = Outcome::default();
    let originals = &format.originals;
    for round in 0..each {
        let own = round % originals.len();
        let other = &originals[random.below(originals.len() as u32) as usize];
        let mut bytes = originals[own].clone();
        let changes: Vec<&str> = (0..=random.below(3)).map(|_| change(&mut bytes, other, &mut random)).collect();
        let name = format!("{} {own}, round {round} of seed {seed} ({})", format.name, changes.join(", "));
        let took = within_limits(&name, &bytes, &|bytes| (format.read)(own, bytes));
        outcome.refused += usize::from(!took.result);
        outcome.slowest = outcome.slowest.max(took.time);
        outcome.most = outcome.most.max(took.held.saturating_sub(2 * bytes.len()));
    }
    // If nothing were refused, the files weren't changed where it matters.
    let refused = outcome.refused;
    assert!(refused * 10 > each && refused < each, "{}: {refused} of {each} refused", format.name);
    outcome
}

/// So many mutations of each format, several formats at a time; prints what came of them.
pub fn mutate_all(formats: &[Format], each: usize, seed: u64) {
    let next = AtomicUsize::new(0);
    let lines = Mutex::new(vec![String::new(); formats.len()]);
    let work = || {
        while let Some((at, format)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, formats.get(at)?)))
        {
            let outcome = mutate(format, each, seed);
            let mut line = String::new();
            let _ = write!(
                line,
                "{:<28} {:>5} {each:>9} {:>8} {:>8} {:>10.2} {:>14.2}",
                format.name,
                format.originals.len(),
                outcome.refused,
                each - outcome.refused,
                outcome.slowest.as_secs_f64() * 1e3,
                outcome.most as f64 / (1 << 20) as f64
            );
            lines.lock().unwrap()[at] = line;
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(formats.len());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // What a worker says when it fails is what this test says.
        workers.into_iter().for_each(|worker| worker.join().unwrap_or_else(|said| std::panic::resume_unwind(said)));
    });
    println!(
        "{:<28} {:>5} {:>9} {:>8} {:>8} {:>10} {:>14}",
        "format", "files", "mutations", "refused", "answered", "slowest ms", "MiB above 2 ×"
    );
    lines.lock().unwrap().iter().for_each(|line| println!("{line}"));
}
