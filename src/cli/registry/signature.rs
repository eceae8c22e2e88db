//! Signatures of manifests, in the form of minisign: Ed25519 over BLAKE2b-512 of the manifest's bytes. Who has the
//! public key can tell that a release is what its maker made, wherever it was copied from.

use super::digest::digest;
use super::manifest::object_path;
use crate::failure::{Failure, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::{PublicKey, SecretKey, SecretKeyBox, SignatureBox};
use std::io::Cursor;
use std::path::Path;

/// Where the password of a secret key may stand, for jobs that nobody watches.
pub const PASSWORD: &str = "ELANUS_KEY_PASSWORD";

/// A signature's text is some 300 bytes.
const MAX_BYTES: usize = 4096;

/// Base64 of 74 bytes, and of 64.
const SIGNATURE_LENGTH: usize = 100;
const GLOBAL_LENGTH: usize = 88;

/// Of a secret key: its algorithms, how its password is used, its number, itself and its checksum.
const SECRET_BYTES: usize = 158;

/// Base64 of 42 bytes.
const KEY_LENGTH: usize = 56;

/// Where the signature of a manifest lies.
pub fn signature_path(manifest: &str) -> String {
    format!("{}.minisig", object_path(manifest, "manifest.json"))
}

/// A public key, and how it is told.
#[derive(Debug, Clone)]
pub struct Verifier {
    key: PublicKey,
}

impl Verifier {
    /// The key itself, or a file that has it.
    pub fn read(key: &str) -> Result<Self> {
        let none = |what: String| {
            Failure::input(format!(
                "{what} is no public key; give the line that starts with RW ({KEY_LENGTH} characters), or the .pub file \
                 that `elanus registry keygen` or minisign wrote"
            ))
        };
        let text = match key.trim() {
            key if is_base64(key, KEY_LENGTH) => key.to_owned(),
            path => std::fs::read_to_string(path).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidData => none(format!("{path:?}")),
                _ => Failure::io("read", Path::new(path), &e),
            })?,
        };
        let line = text.lines().map(str::trim).find(|line| is_base64(line, KEY_LENGTH));
        let key = line.and_then(|line| PublicKey::from_base64(line).ok()).ok_or_else(|| none(format!("{key:?}")))?;
        Ok(Verifier { key })
    }

    /// The number by which keys are told apart.
    pub fn id(&self) -> String {
        key_id(self.key.keynum())
    }

    /// Refuses bytes that the key didn't sign.
    pub fn check(&self, text: &[u8], signed: &[u8]) -> Result<()> {
        let signature = parse(text)?;
        if signature.keynum() != self.key.keynum() {
            return Err(bad(format!("it is signed by the key {}, not by {}", key_id(signature.keynum()), self.id())));
        }
        minisign::verify(&self.key, &signature, Cursor::new(signed), true, false, false).map_err(|_| {
            bad("the signature isn't that of these bytes: the manifest or its signature was changed".to_owned())
        })
    }
}

/// Which of these keys signed it; refused if none did.
pub fn signed_by<'a>(keys: &'a [Verifier], text: &[u8], signed: &[u8]) -> Result<&'a Verifier> {
    let id = signer(text)?;
    let known = || keys.iter().map(Verifier::id).collect::<Vec<_>>().join(", ");
    let key = keys.iter().find(|key| key.id() == id);
    let key = key.ok_or_else(|| bad(format!("it is signed by the key {id}, not by {}", known())))?;
    key.check(text, signed)?;
    Ok(key)
}

/// Whose signature it claims to be.
pub fn signer(text: &[u8]) -> Result<String> {
    parse(text).map(|signature| key_id(signature.keynum()))
}

/// What is said of a manifest that has none.
pub fn unsigned() -> Failure {
    bad("it isn't signed; sign it with `elanus registry sign`".to_owned())
}

/// The lengths are checked here: what reads them takes them as they are.
fn parse(text: &[u8]) -> Result<SignatureBox> {
    let malformed = |why: &str| bad(format!("the signature is none ({why})"));
    let text = Some(text).filter(|text| text.len() <= MAX_BYTES).ok_or_else(|| malformed("it is too long"))?;
    let text = std::str::from_utf8(text).map_err(|_| malformed("it is no UTF-8"))?;
    let lines: Vec<&str> = text.lines().collect();
    let [untrusted, signature, trusted, global] = lines[..] else {
        return Err(malformed("it hasn't four lines"));
    };
    if !untrusted.starts_with("untrusted comment: ") || !trusted.starts_with("trusted comment: ") {
        return Err(malformed("it lacks its comments"));
    }
    if !is_base64(signature, SIGNATURE_LENGTH) || !is_base64(global, GLOBAL_LENGTH) {
        return Err(malformed("its lines aren't as long as they must be"));
    }
    let parsed = SignatureBox::from_string(text).map_err(|e| malformed(&e.to_string()))?;
    // Base64 has several texts for the same bytes; one of them is right.
    let written = parsed.to_string();
    if written.lines().nth(1) != Some(signature) || written.lines().nth(3) != Some(global) {
        return Err(malformed("its lines aren't written as base64 is"));
    }
    match parsed.is_prehashed() {
        true => Ok(parsed),
        false => Err(bad("it is signed in minisign's old form; sign it again, with minisign without -l".to_owned())),
    }
}

fn is_base64(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

/// As minisign shows it.
fn key_id(number: &[u8]) -> String {
    number.iter().rev().map(|byte| format!("{byte:02X}")).collect()
}

fn bad(message: String) -> Failure {
    Failure::check("BAD_SIGNATURE", message)
}

/// A secret key, ready to sign.
pub struct Signer {
    key: SecretKey,
}

impl Signer {
    /// Reads a key that minisign or `keygen` wrote.
    pub fn open(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Failure::io("read", path, &e))?;
        let bytes = text.lines().nth(1).and_then(|line| STANDARD.decode(line.trim()).ok());
        let Some(bytes) = bytes.filter(|bytes| bytes.len() == SECRET_BYTES && bytes.starts_with(b"Ed")) else {
            return Err(Failure::input(format!(
                "{} is no secret key; give the .key file that `elanus registry keygen` or minisign wrote",
                path.display()
            )));
        };
        let wrong = |e: minisign::PError| Failure::input(format!("{}: {e}", path.display()));
        // Of keys without a password minisign leaves out the checksum; `sign` sees whether they are whole.
        let key = match bytes[2..4] == [0, 0] {
            true => SecretKey::from_bytes(&bytes).map_err(wrong)?,
            false => {
                let boxed = SecretKeyBox::from_string(&text).map_err(wrong)?;
                boxed.into_secret_key(Some(password(false)?)).map_err(wrong)?
            }
        };
        Ok(Signer { key })
    }

    /// The signature's text. `seconds` since 1970 stand in its comment.
    pub fn sign(&self, manifest: &[u8], release: &str, seconds: u64) -> Result<String> {
        let trusted = format!("timestamp:{seconds}\tfile:{}.json\trelease:{release}\thashed", digest(manifest));
        let untrusted = format!("signature of the Elanus release {release}");
        let public = PublicKey::from_secret_key(&self.key).ok();
        let signed =
            minisign::sign(public.as_ref(), &self.key, Cursor::new(manifest), Some(&trusted), Some(&untrusted));
        signed.map(|signature| signature.to_string()).map_err(|e| Failure::input(format!("signing failed: {e}")))
    }

    /// The key's number.
    pub fn id(&self) -> String {
        key_id(self.key.keynum())
    }
}

/// The password of a secret key: from the environment, or asked for.
pub fn password(twice: bool) -> Result<String> {
    if let Ok(password) = std::env::var(PASSWORD) {
        return Ok(password);
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|e| {
            Failure::input(format!(
                "the key has a password, which can't be asked for here ({e}); put it into {PASSWORD}"
            ))
        })
    };
    let password = ask("Password of the secret key: ")?;
    if twice && ask("The same again: ")? != password {
        return Err(Failure::input("the two passwords differ; nothing was written"));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;
    use proptest::prelude::*;

    fn pair() -> (Signer, Verifier) {
        let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().unwrap();
        (Signer { key: sk }, Verifier::read(&pk.to_base64()).unwrap())
    }

    /// Written by minisign 0.11: the public key, the file's bytes and the signature.
    const KEY: &str = "RWQvxN9lU7pf2RF3ac1Wu1mMfi1wKiyX2tb4zzD/orm97bn1ETvREhQb";
    const SECRET: &str = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAL8TfZVO6X9m4kg0WBolV+8j8ImbXOH981xAVf4fLLHwXF3euzV60PxF3ac1Wu1mMfi1wKiyX2tb4zzD/orm97bn1ETvREhQbAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const SIGNED: &[u8] = b"{\"schema_version\":1}\n";
    const BY_MINISIGN: &str = "untrusted comment: signature from minisign secret key\nRUQvxN9lU7pf2buz/FWtc1To8Kb5y87b/3yT3nZh6N+BF9m9VBCYl1ZzqekafZAncXQTLIRjAjZaGEZ5T0gJKLtJu2bFbdCGJQg=\ntrusted comment: timestamp:1700000000\tfile:t.json\thashed\nOMBRtNQdBhqv9fE29+3D3WydbF1vNx5c28hlt1yvmY2YdjTga7j7efU59tvDGeMGD3XsKZZ/dCp0OOe8M/wdAg==\n";
    const OLD_FORM: &str = "untrusted comment: signature from minisign secret key\nRWQvxN9lU7pf2fQ5ApBU5/0wfWtndJBR97J/sfIDPeJVni834iYOLpnRkF5Ia69rS+TxxQQnLqJ4molLj1EOaFGGbXWeDIq41Qs=\ntrusted comment: timestamp:1700000000\nRkWEGKWoQU+yAVelpHstE46Z4BSu6C/w3Jd0hohCJ+vtRXjBm8QvKFPEvGMEyJ5X/up2ZjRzev3Zix/ICg7/AA==\n";

    #[test]
    fn what_minisign_signed_is_good() {
        let key = Verifier::read(KEY).unwrap();
        key.check(BY_MINISIGN.as_bytes(), SIGNED).unwrap();
        key.check(BY_MINISIGN.replace('\n', "\r\n").as_bytes(), SIGNED).unwrap();
        assert_eq!(key.id(), signer(BY_MINISIGN.as_bytes()).unwrap());
        let old = key.check(OLD_FORM.as_bytes(), SIGNED).unwrap_err();
        assert!(old.message.contains("old form"), "{}", old.message);
    }

    /// Written by `minisign -G -W`.
    #[test]
    fn keys_of_minisign_sign() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("untrusted comment: minisign encrypted secret key\n{SECRET}\n")).unwrap();
        let signer = Signer::open(file.path()).unwrap();
        let text = signer.sign(SIGNED, "r1", 1).unwrap();
        Verifier::read(KEY).unwrap().check(text.as_bytes(), SIGNED).unwrap();
        let mut broken = STANDARD.decode(SECRET).unwrap();
        broken[70] ^= 1;
        std::fs::write(file.path(), format!("x\n{}\n", STANDARD.encode(broken))).unwrap();
        assert!(Signer::open(file.path()).unwrap().sign(SIGNED, "r1", 1).is_err());
    }

    #[test]
    fn a_signature_is_that_of_one_key_and_of_these_bytes() {
        let (signer, key) = pair();
        let (_, other) = pair();
        let text = signer.sign(b"manifest", "r1", 1_700_000_000).unwrap();
        key.check(text.as_bytes(), b"manifest").unwrap();
        assert!(text.contains("timestamp:1700000000\tfile:"), "{text}");
        for (key, text, signed, part) in [
            (&other, text.clone(), &b"manifest"[..], "not by"),
            (&key, text.clone(), b"manifesu", "changed"),
            (&key, text.replace("release:r1", "release:r2"), b"manifest", "changed"),
            (&key, text.replace("trusted comment: t", "trusted: t"), b"manifest", "comments"),
            (&key, text.lines().take(3).collect::<Vec<_>>().join("\n"), b"manifest", "four lines"),
            (&key, "x".repeat(5000), b"manifest", "too long"),
        ] {
            let refused = key.check(text.as_bytes(), signed).unwrap_err();
            assert_eq!(refused.code, "BAD_SIGNATURE");
            assert!(refused.message.contains(part), "{part} in {}", refused.message);
        }
        assert_eq!(signed_by(&[other.clone(), key.clone()], text.as_bytes(), b"manifest").unwrap().id(), key.id());
        assert!(signed_by(&[other], text.as_bytes(), b"manifest").is_err());
    }

    #[test]
    fn a_flipped_bit_of_a_signature_is_seen() {
        let (signer, key) = pair();
        let text = signer.sign(b"manifest", "r1", 1).unwrap();
        let start = text.find('\n').unwrap() + 1;
        // What stands in the untrusted comment is anybody's; the rest isn't, but for the line ends.
        for at in start..text.len() {
            for bit in [0, 3, 6] {
                let mut flipped = text.clone().into_bytes();
                flipped[at] ^= 1 << bit;
                let still = key.check(&flipped, b"manifest").is_ok();
                assert!(!still, "byte {at}, bit {bit}: {}", String::from_utf8_lossy(&flipped));
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_signature_by_chance(text in ".{0,400}", lines in "untrusted comment: .{0,20}\n[A-Za-z0-9+/]{98}==\ntrusted comment: .{0,20}\n[A-Za-z0-9+/]{86}==\n") {
            let key = Verifier::read(KEY).unwrap();
            for text in [text, lines] {
                prop_assert_eq!(key.check(text.as_bytes(), SIGNED).unwrap_err().code, "BAD_SIGNATURE");
            }
        }
    }
}
