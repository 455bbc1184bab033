//! Keys, and the signature of a payload: HMAC-SHA256, RSA PKCS#1 v1.5, Ed25519.
//!
//! The secret enters once and never leaves: no type here shows it, compares it or hands it out, and
//! the bytes are zeroed when the signer is dropped. An HMAC key is kept as the two hash states that
//! follow its inner and outer pad, so that a signature costs the payload's own blocks and one more.
//!
//! What is signed is the caller's business: REST signs the query and body as they are sent, already
//! percent-encoded; the WebSocket API signs the sorted, raw parameters ([`encode`](super::encode)).

use std::fmt;

use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::Signer as _;
use rand_core::OsRng;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
use rsa::traits::PublicKeyParts as _;

use super::mac::Mac;

/// Why a key cannot be used. No message repeats any part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The API key is empty or holds something else than printable ASCII.
    ApiKey,
    /// The HMAC secret is empty.
    Empty,
    /// The PEM is encrypted.
    Encrypted,
    /// The PEM is a public key.
    Public,
    /// The PEM is neither Ed25519 nor RSA, or broken.
    Pem,
    /// An RSA key of fewer than 2048 bits.
    Weak,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::ApiKey => "the API key must be printable ASCII without spaces or quotes",
            KeyError::Empty => "the secret is empty",
            KeyError::Encrypted => "the private key is encrypted: give it decrypted, as PKCS#8",
            KeyError::Public => "this is a public key: give the private one",
            KeyError::Pem => "the private key is no PKCS#8 PEM of an Ed25519 or RSA key",
            KeyError::Weak => "the RSA key has fewer than 2048 bits",
        })
    }
}

impl std::error::Error for KeyError {}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// HMAC-SHA256 with a shared secret; the signature is hex.
    Hmac,
    /// RSASSA-PKCS1-v1_5 with SHA-256; the signature is base64.
    Rsa,
    /// Ed25519; the signature is base64.
    Ed25519,
}

impl KeyKind {
    /// The name in settings: `hmac`, `rsa`, `ed25519`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::Hmac => "hmac",
            KeyKind::Rsa => "rsa",
            KeyKind::Ed25519 => "ed25519",
        }
    }
}

/// Each of these zeroes its memory when it is dropped.
enum Key {
    Hmac(Mac),
    Rsa(Box<rsa::pkcs1v15::SigningKey<rsa::sha2::Sha256>>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// An API key and what signs for it.
pub struct Signer {
    api_key: Box<str>,
    key: Key,
}

impl Signer {
    /// A signer from an API key and its secret: a PEM where the text begins like one, else the
    /// shared secret of an HMAC key.
    ///
    /// # Errors
    ///
    /// [`KeyError`], without a word of the key.
    pub fn new(api_key: &str, secret: &str) -> Result<Signer, KeyError> {
        if api_key.is_empty() || !api_key.bytes().all(is_plain) {
            return Err(KeyError::ApiKey);
        }
        let text = secret.trim();
        let key = if text.starts_with("-----BEGIN") {
            pem_key(text)?
        } else if text.is_empty() {
            return Err(KeyError::Empty);
        } else {
            Key::Hmac(Mac::new(text.as_bytes()))
        };
        Ok(Signer { api_key: api_key.into(), key })
    }

    /// The public half: what the venue calls the API key.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// How it signs.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self.key {
            Key::Hmac(_) => KeyKind::Hmac,
            Key::Rsa(_) => KeyKind::Rsa,
            Key::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// Appends the signature of `payload` as the WebSocket API wants it: hex or plain base64.
    pub fn sign(&self, payload: &[u8], out: &mut Vec<u8>) {
        match &self.key {
            Key::Hmac(mac) => hex(&mac.of(payload), out),
            // The random number blinds the exponentiation; the signature does not depend on it.
            Key::Rsa(key) => base64(&key.sign_with_rng(&mut OsRng, payload).to_vec(), out),
            Key::Ed25519(key) => base64(&key.sign(payload).to_bytes(), out),
        }
    }

    /// Appends the signature of `payload` as a query string or form holds it: hex, or base64 with
    /// `+`, `/` and `=` percent-encoded.
    pub fn sign_for_url(&self, payload: &[u8], out: &mut Vec<u8>) {
        if matches!(self.key, Key::Hmac(_)) {
            return self.sign(payload, out);
        }
        let mut text = Vec::with_capacity(344);
        self.sign(payload, &mut text);
        percent_encode(&text, out);
    }
}

/// What may stand in a header and between quotes without being escaped.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' && byte != b'&'
}

fn pem_key(text: &str) -> Result<Key, KeyError> {
    let header = text.lines().next().unwrap_or_default();
    if header.contains("ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    if header.contains("PUBLIC") {
        return Err(KeyError::Public);
    }
    if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(text) {
        return Ok(Key::Ed25519(Box::new(key)));
    }
    let rsa = rsa::RsaPrivateKey::from_pkcs8_pem(text)
        .or_else(|_| rsa::RsaPrivateKey::from_pkcs1_pem(text).map_err(|_| KeyError::Pem))?;
    if rsa.size() < 256 {
        return Err(KeyError::Weak);
    }
    Ok(Key::Rsa(Box::new(rsa::pkcs1v15::SigningKey::new(rsa))))
}

/// The digits of a code, in small letters.
fn hex(code: &[u8; 32], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [[0; 2]; 32];
    for (pair, byte) in text.iter_mut().zip(code) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    out.extend_from_slice(text.as_flattened());
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let word = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        let digit = |at: u32| DIGITS[(word >> (18 - 6 * at)) as usize & 63];
        out.extend([digit(0), digit(1)]);
        out.push(if group.len() > 1 { digit(2) } else { b'=' });
        out.push(if group.len() > 2 { digit(3) } else { b'=' });
    }
}

/// Appends `text` with everything percent-encoded but letters, digits and `-._~`.
pub fn percent_encode(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
            _ => out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(signer: &Signer, payload: &str) -> String {
        let mut out = Vec::new();
        signer.sign(payload.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hmac_of_rfc_4231() {
        let signer = Signer::new("k", "Jefe").unwrap();
        assert_eq!(
            signed(&signer, "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn base64_of_rfc_4648() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            base64(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_bad_key_is_refused_without_repeating_it() {
        let refused = |api: &str, secret: &str| Signer::new(api, secret).err().unwrap();
        assert_eq!(refused("", "s"), KeyError::ApiKey);
        assert_eq!(refused("a b", "s"), KeyError::ApiKey);
        assert_eq!(refused("a\"b", "s"), KeyError::ApiKey);
        assert_eq!(refused("k", " \n"), KeyError::Empty);
        let pem = |name: &str| format!("-----BEGIN {name}-----\nAAAA\n-----END {name}-----\n");
        assert_eq!(refused("k", &pem("ENCRYPTED PRIVATE KEY")), KeyError::Encrypted);
        assert_eq!(refused("k", &pem("PUBLIC KEY")), KeyError::Public);
        assert_eq!(refused("k", &pem("PRIVATE KEY")), KeyError::Pem);
    }
}
