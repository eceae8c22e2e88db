//! `elanus registry serve`: a registry over HTTP, as a static host would give it. For trying things out, and for
//! machines of one's own; what it serves can be copied to any host.

use super::digest::{digest, is_digest};
use super::range::{Part, part};
use super::store::Store;
use crate::failure::{Exit, Failure, Result};
use crate::output::Output;
use serde_json::json;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

/// Answers at a time: one that waits for a slow reader holds up no other.
const THREADS: usize = 8;

/// A year: what hosts take for ever to be.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// Serve the registry over HTTP until Ctrl-C: to pages of any origin, with ranges and caching.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port; 0 takes one that is free.
    #[arg(long, short, default_value_t = 8088)]
    port: u16,

    /// The address to listen at. Of this machine alone by default; 0.0.0.0 lets others in.
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
}

pub fn run(args: &Args, store: &Store, output: &mut Output) -> Result<()> {
    store.read()?;
    let address = SocketAddr::new(args.host, args.port);
    let server = Server::http(address).map_err(|e| Failure {
        exit: Exit::System,
        code: "IO_ERROR",
        message: format!("can't listen at {address}: {e}; --port 0 takes a port that is free"),
    })?;
    let url = format!("http://{}/", server.server_addr());
    output.either(
        || format!("{} is at {url}\n  Ctrl-C ends it", store.path("").display()),
        || json!({ "url": url, "registry": store.path("") }),
    )?;
    output.flush()?;
    let server = Arc::new(server);
    let serve = || {
        while let Ok(request) = server.recv() {
            answer(request, store);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(serve);
        }
        serve();
    });
    Ok(())
}

/// A file of the registry, as it is served.
struct Served {
    path: PathBuf,
    kind: &'static str,
    cache: &'static str,
    /// Of immutable files the name says it.
    hash: Option<String>,
}

/// The file that an address names. Only names that a registry can have name one, so there is no way out of its folder.
fn find(address: &str, store: &Store) -> Option<Served> {
    let path = address.split(['?', '#']).next()?.strip_prefix('/')?;
    let kind = |name: &str| match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "json" => "application/json",
        "jsonl" | "minisig" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    };
    let (cache, hash) = match path {
        "registry.json" | "log.jsonl" | "policy.json" => (ASK_AGAIN, None),
        _ => {
            let (hash, endings) = path.strip_prefix("objects/")?.split_once('.')?;
            let plain = endings.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
            if !is_digest(hash) || !plain || endings.split('.').any(str::is_empty) {
                return None;
            }
            // A signature is named by what it signs: another key may sign that again.
            if endings.ends_with("minisig") { (ASK_AGAIN, None) } else { (FOR_EVER, Some(hash.to_owned())) }
        }
    };
    let file = store.path(path);
    // Not through links: they lead anywhere.
    std::fs::symlink_metadata(&file).is_ok_and(|about| about.is_file()).then(|| Served {
        path: file,
        kind: kind(path),
        cache,
        hash,
    })
}

fn answer(request: Request, store: &Store) {
    let address = request.url().to_owned();
    let sent = match request.method() {
        Method::Get | Method::Head => match find(&address, store) {
            None => say(request, 404, "there is no such file in the registry; registry.json says which there are\n"),
            Some(served) => match send(&request, &served) {
                Ok(response) => request.respond(response),
                Err(_) => say(request, 500, "the file can't be read\n"),
            },
        },
        Method::Options => {
            let response = Response::empty(204)
                .with_header(header("Access-Control-Allow-Origin", "*"))
                .with_header(header("Access-Control-Allow-Methods", "GET, HEAD"))
                .with_header(header("Access-Control-Allow-Headers", "Range, If-None-Match, If-Range, Cache-Control"))
                .with_header(header("Access-Control-Max-Age", "86400"));
            request.respond(response)
        }
        _ => say(request, 405, "a registry is read with GET and HEAD\n"),
    };
    // A reader that went away is no failure of ours.
    drop(sent);
}

fn say(request: Request, status: u16, text: &str) -> std::io::Result<()> {
    let allow = header("Allow", "GET, HEAD, OPTIONS");
    let response = Response::from_string(text).with_status_code(status).with_header(header("Cache-Control", ASK_AGAIN));
    request.respond(response.with_header(header("Access-Control-Allow-Origin", "*")).with_header(allow))
}

trait Seekable: Read + Seek + Send {}

impl<T: Read + Seek + Send> Seekable for T {}

fn send(request: &Request, served: &Served) -> std::io::Result<Response<Box<dyn Read + Send>>> {
    let mut file = File::open(&served.path)?;
    let length = file.metadata()?.len();
    // One that changes is small, and is read whole, so that its tag is that of what is sent.
    let (mut body, length, tag): (Box<dyn Seekable>, u64, String) = match &served.hash {
        Some(hash) => (Box::new(file), length, hash.clone()),
        None => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let (length, tag) = (bytes.len() as u64, digest(&bytes));
            (Box::new(Cursor::new(bytes)), length, tag)
        }
    };
    let tag = format!("\"{tag}\"");
    let asked =
        |name: &'static str| request.headers().iter().find(|h| h.field.equiv(name)).map(|header| header.value.as_str());
    let mut headers = vec![
        header("Access-Control-Allow-Origin", "*"),
        header("Access-Control-Expose-Headers", "Accept-Ranges, Content-Length, Content-Range, ETag"),
        header("Cross-Origin-Resource-Policy", "cross-origin"),
        header("X-Content-Type-Options", "nosniff"),
        header("Accept-Ranges", "bytes"),
        header("Cache-Control", served.cache),
        header("Content-Type", served.kind),
        header("ETag", &tag),
    ];
    let known = |list: &str| list.split(',').map(str::trim).any(|t| t == "*" || t.trim_start_matches("W/") == tag);
    if asked("If-None-Match").is_some_and(known) {
        return Ok(Response::new(StatusCode(304), headers, Box::new(std::io::empty()), Some(0), None));
    }
    // A range of another version than the one that is there would be mixed with this one.
    let range = asked("Range").filter(|_| asked("If-Range").is_none_or(|version| version == tag));
    let (status, length) = match part(range, length) {
        Part::All => (200, length),
        Part::Some { from, count } => {
            headers.push(header("Content-Range", &format!("bytes {from}-{}/{length}", from + count - 1)));
            body.seek(SeekFrom::Start(from))?;
            (206, count)
        }
        Part::None => {
            headers.push(header("Content-Range", &format!("bytes */{length}")));
            (416, 0)
        }
    };
    let body: Box<dyn Read + Send> = Box::new(body.take(length));
    // With its length rather than in chunks: a page shows progress by it.
    let response = Response::new(StatusCode(status), headers, body, Some(length as usize), None);
    Ok(response.with_chunked_threshold(usize::MAX))
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).unwrap_or_else(|()| unreachable!("{name} and what it says are ASCII"))
}
