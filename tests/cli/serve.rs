//! A registry over HTTP, asked as browsers ask.

use crate::workshop::{Workshop, command};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// The command, serving; ended with the test.
struct Host {
    child: Child,
    address: String,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Host {
    fn start(shop: &Workshop) -> Host {
        let mut child = command(&shop.path(""))
            .args(["registry", "serve", "--port", "0", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        let url = said["url"].as_str().unwrap();
        Host { child, address: url.trim_start_matches("http://").trim_end_matches('/').to_owned() }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        stream.write_all((request + "\r\n").as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Answer { status, headers, body: bytes[end + 4..].to_vec() }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }
}

fn shop() -> Workshop {
    let shop = Workshop::new().with_collection(300, 16);
    shop.run("build vectors.npy -o one.elanus").ok();
    shop.run("registry init").ok();
    shop.run("registry keygen --no-password").ok();
    shop.run("registry add one.elanus --name r1 --alias champion --key elanus.key").ok();
    shop
}

#[test]
fn pages_of_any_origin_read_it_in_parts_and_keep_what_never_changes() {
    let shop = shop();
    let host = Host::start(&shop);
    let state = host.get("/registry.json");
    assert_eq!((state.status, &state.body), (200, &shop.read("registry/registry.json")));
    assert_eq!(state.headers["cache-control"], "no-cache");
    assert_eq!(state.headers["access-control-allow-origin"], "*");
    assert_eq!(state.headers["content-type"], "application/json");

    let shown = shop.run("registry show r1 --json").json();
    let path = format!("/{}", shown["files"][0]["path"].as_str().unwrap());
    let bytes = shop.read("one.elanus");
    let whole = host.get(&path);
    assert_eq!((whole.status, &whole.body), (200, &bytes));
    assert!(whole.headers["cache-control"].contains("immutable"), "{:?}", whole.headers);
    assert_eq!(whole.headers["content-length"], bytes.len().to_string());
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    let tag = whole.headers["etag"].clone();
    assert!(tag.contains(shown["files"][0]["sha256"].as_str().unwrap()));

    let part = host.ask("GET", &path, &[("Range", "bytes=100-199")]);
    assert_eq!((part.status, &part.body[..]), (206, &bytes[100..200]));
    assert_eq!(part.headers["content-range"], format!("bytes 100-199/{}", bytes.len()));
    let end = host.ask("GET", &path, &[("Range", "bytes=-7"), ("If-Range", &tag)]);
    assert_eq!((end.status, &end.body[..]), (206, &bytes[bytes.len() - 7..]));
    assert_eq!(host.ask("GET", &path, &[("Range", "bytes=0-9"), ("If-Range", "\"old\"")]).body, bytes);
    let beyond = host.ask("GET", &path, &[("Range", &format!("bytes={}-", bytes.len()))]);
    assert_eq!((beyond.status, &beyond.headers["content-range"]), (416, &format!("bytes */{}", bytes.len())));
    assert_eq!(host.ask("GET", &path, &[("If-None-Match", &tag)]).status, 304);
    let head = host.ask("HEAD", &path, &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"], bytes.len().to_string());

    let asked = host.ask("GET", "/registry.json", &[("If-None-Match", &state.headers["etag"])]);
    assert_eq!(asked.status, 304);
    shop.run("registry alias other r1").ok();
    let asked = host.ask("GET", "/registry.json", &[("If-None-Match", &state.headers["etag"])]);
    assert_eq!((asked.status, &asked.body), (200, &shop.read("registry/registry.json")));

    let signature = host.get(&format!("/objects/{}.json.minisig", shown["manifest"].as_str().unwrap()));
    assert_eq!((signature.status, signature.headers["cache-control"].as_str()), (200, "no-cache"));
    assert_eq!(host.ask("OPTIONS", &path, &[]).headers["access-control-allow-methods"], "GET, HEAD");
    assert_eq!(host.ask("POST", "/registry.json", &[]).status, 405);
}

#[test]
fn nothing_but_the_registry_is_served() {
    let shop = shop();
    shop.put("secret.json", "secret");
    let name = format!("{}.json", "a".repeat(64));
    #[cfg(unix)]
    std::os::unix::fs::symlink(shop.path("secret.json"), shop.path(&format!("registry/objects/{name}"))).unwrap();
    let host = Host::start(&shop);
    for path in [
        "/",
        "/.lock",
        "/../secret.json",
        "/objects/../../secret.json",
        "/objects/%2e%2e/%2e%2e/secret.json",
        "/objects/..%2f..%2fsecret.json",
        "//etc/passwd",
        "/objects/",
        "/objects",
        "/registry.json/",
        "/REGISTRY.JSON",
        &format!("/objects/{name}"),
        &format!("/objects/{}", "a".repeat(64)),
        &format!("/objects/{}./../x", "a".repeat(64)),
    ] {
        let answer = host.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.windows(6).any(|w| w == b"secret"), "{path}");
    }
    assert_eq!(host.get("/registry.json?v=2").status, 200);
    shop.run("registry serve --registry elsewhere").failed(3, &["no registry"]);
    let port = host.address.rsplit(':').next().unwrap().to_owned();
    shop.run(&format!("registry serve --port {port}")).failed(4, &["can't listen", "--port 0"]);
}
