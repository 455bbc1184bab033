//! One request before it is signed, and the bytes that it becomes.
//!
//! A draft is an endpoint and its parameters. Its *canonical* form, the same for both doors, has no
//! key, time or signature in it: that is what two runs are compared by. From it come
//!
//! ```text
//!  ws_frame  {"id":…,"method":…,"params":{sorted, raw, signature}}     signed: sorted, raw, &-joined
//!  rest_form name=value&…&recvWindow=…&timestamp=…&signature=…          signed: as sent, encoded
//! ```
//!
//! Buffers are kept between requests, so that building one allocates nothing.

use super::sign::{percent_encode, Signer};

/// What a request must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    Open,
    /// The API key.
    Key,
    /// The API key, a timestamp and a signature.
    Signed,
}

/// One action of the venue, by both of its doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Method of the WebSocket API; empty where it has none.
    pub ws: &'static str,
    /// HTTP verb.
    pub verb: &'static str,
    /// Path below the host.
    pub path: &'static str,
    /// What the request must carry.
    pub security: Security,
}

/// Key, receive window and state of the connection that a request goes out by.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    /// Signs.
    pub signer: &'a Signer,
    /// The venue's clock, ms.
    pub timestamp_ms: i64,
    /// How long after the timestamp the venue may still take it, ms; 0 leaves the venue's default.
    pub recv_window_ms: u32,
    /// The WebSocket connection is logged on, so that key and signature are left out.
    pub logged_on: bool,
}

/// Parameters of at most this many fit the signature's sort without a heap allocation.
const SORTED: usize = 32;

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: &'static str,
    start: u32,
    end: u32,
    /// A JSON number; else text.
    is_number: bool,
}

/// A request before it is signed.
#[derive(Clone, Debug)]
pub struct Draft {
    endpoint: Endpoint,
    entries: Vec<Entry>,
    values: Vec<u8>,
    payload: Vec<u8>,
}

impl Draft {
    /// An empty draft; [`open`](Self::open) gives it an endpoint.
    #[must_use]
    pub fn new() -> Self {
        let endpoint = Endpoint { ws: "", verb: "", path: "", security: Security::Open };
        Draft {
            endpoint,
            entries: Vec::with_capacity(SORTED),
            values: Vec::with_capacity(256),
            payload: Vec::with_capacity(512),
        }
    }

    /// Starts over, for another request.
    pub fn open(&mut self, endpoint: Endpoint) -> &mut Self {
        self.endpoint = endpoint;
        self.entries.clear();
        self.values.clear();
        self
    }

    /// Where it goes.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Adds a parameter that is text: a word, a symbol, a decimal.
    #[inline]
    pub fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        let start = self.values.len() as u32;
        self.values.extend_from_slice(value.as_bytes());
        self.close(name, start, false)
    }

    /// Adds a whole number.
    #[inline]
    pub fn whole(&mut self, name: &'static str, value: i64) -> &mut Self {
        let start = self.values.len() as u32;
        write_decimal(value, 0, &mut self.values);
        self.close(name, start, true)
    }

    /// Adds a scaled integer as decimal text without trailing zeros.
    #[inline]
    pub fn decimal(&mut self, name: &'static str, value: i64, scale: u8) -> &mut Self {
        let start = self.values.len() as u32;
        write_decimal(value, scale, &mut self.values);
        self.close(name, start, false)
    }

    #[inline]
    fn close(&mut self, name: &'static str, start: u32, is_number: bool) -> &mut Self {
        let end = self.values.len() as u32;
        self.entries.push(Entry { name, start, end, is_number });
        self
    }

    /// The parameters in the order given, as text.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.entries
            .iter()
            .map(|entry| (entry.name, std::str::from_utf8(self.value(entry)).unwrap_or_default()))
    }

    #[inline]
    fn value(&self, entry: &Entry) -> &[u8] {
        self.values.get(entry.start as usize..entry.end as usize).unwrap_or_default()
    }

    /// Appends the request without key, time and signature: verb, path, and the parameters sorted
    /// by name, percent-encoded.
    pub fn canonical(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.endpoint.verb.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.endpoint.path.as_bytes());
        let mut sorted = self.entries.clone();
        sorted.sort_by_key(|entry| entry.name);
        for (at, entry) in sorted.iter().enumerate() {
            out.push(if at == 0 { b' ' } else { b'&' });
            out.extend_from_slice(entry.name.as_bytes());
            out.push(b'=');
            percent_encode(self.value(entry), out);
        }
    }

    /// Appends the frame of the WebSocket API; false if the endpoint has no such method.
    pub fn ws_frame(&mut self, id: &str, seal: &Seal<'_>, out: &mut Vec<u8>) -> bool {
        if self.endpoint.ws.is_empty() {
            return false;
        }
        let own = (self.entries.len(), self.values.len());
        self.add_seal(seal);
        if !self.entries.is_sorted_by_key(|entry| entry.name) {
            self.entries.sort_by_key(|entry| entry.name);
        }
        out.extend_from_slice(b"{\"id\":");
        write_json_text(id.as_bytes(), out);
        out.extend_from_slice(b",\"method\":\"");
        out.extend_from_slice(self.endpoint.ws.as_bytes());
        out.extend_from_slice(b"\",\"params\":{");
        for (at, entry) in self.entries.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(entry.name.as_bytes());
            out.extend_from_slice(b"\":");
            if entry.is_number {
                out.extend_from_slice(self.value(entry));
            } else {
                write_json_text(self.value(entry), out);
            }
        }
        if self.endpoint.security == Security::Signed && !seal.logged_on {
            let mut payload = std::mem::take(&mut self.payload);
            payload.clear();
            for (at, entry) in self.entries.iter().enumerate() {
                if at > 0 {
                    payload.push(b'&');
                }
                payload.extend_from_slice(entry.name.as_bytes());
                payload.push(b'=');
                payload.extend_from_slice(self.value(entry));
            }
            out.extend_from_slice(b",\"signature\":\"");
            seal.signer.sign(&payload, out);
            out.push(b'"');
            self.payload = payload;
        }
        out.extend_from_slice(b"}}");
        self.drop_seal(own);
        true
    }

    /// Key, window and time among the parameters, each in its place if they are sorted.
    fn add_seal(&mut self, seal: &Seal<'_>) {
        if self.endpoint.security == Security::Open {
            return;
        }
        if !seal.logged_on {
            let start = self.values.len() as u32;
            self.values.extend_from_slice(seal.signer.api_key().as_bytes());
            self.insert("apiKey", start, false);
        }
        if self.endpoint.security == Security::Key {
            return;
        }
        if seal.recv_window_ms > 0 {
            let start = self.values.len() as u32;
            write_decimal(i64::from(seal.recv_window_ms), 0, &mut self.values);
            self.insert("recvWindow", start, true);
        }
        let start = self.values.len() as u32;
        write_decimal(seal.timestamp_ms, 0, &mut self.values);
        self.insert("timestamp", start, true);
    }

    fn insert(&mut self, name: &'static str, start: u32, is_number: bool) {
        let end = self.values.len() as u32;
        let at = self.entries.partition_point(|entry| entry.name < name);
        self.entries.insert(at, Entry { name, start, end, is_number });
    }

    fn drop_seal(&mut self, (entries, values): (usize, usize)) {
        self.entries.retain(|entry| entry.end as usize <= values);
        debug_assert_eq!(self.entries.len(), entries, "the seal is gone");
        self.values.truncate(values);
    }

    /// Appends the query string or form of REST, signed last.
    pub fn rest_form(&mut self, seal: &Seal<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        for entry in &self.entries {
            if out.len() > start {
                out.push(b'&');
            }
            out.extend_from_slice(entry.name.as_bytes());
            out.push(b'=');
            percent_encode(self.value(entry), out);
        }
        if self.endpoint.security != Security::Signed {
            return;
        }
        if out.len() > start {
            out.push(b'&');
        }
        if seal.recv_window_ms > 0 {
            out.extend_from_slice(b"recvWindow=");
            write_decimal(i64::from(seal.recv_window_ms), 0, out);
            out.push(b'&');
        }
        out.extend_from_slice(b"timestamp=");
        write_decimal(seal.timestamp_ms, 0, out);
        let end = out.len();
        out.extend_from_slice(b"&signature=");
        self.payload.clear();
        seal.signer.sign_for_url(&out[start..end], &mut self.payload);
        out.extend_from_slice(&self.payload);
    }
}

/// Appends parameters that have no draft as a query string, signed last.
pub fn signed_query(pairs: &[(&str, &str)], seal: &Seal<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    let (window, time) = (seal.recv_window_ms.to_string(), seal.timestamp_ms.to_string());
    let window = [("recvWindow", window.as_str())];
    let window = if seal.recv_window_ms > 0 { &window[..] } else { &[] };
    for (name, value) in pairs.iter().chain(window).chain(&[("timestamp", time.as_str())]) {
        if out.len() > start {
            out.push(b'&');
        }
        percent_encode(name.as_bytes(), out);
        out.push(b'=');
        percent_encode(value.as_bytes(), out);
    }
    let mut signature = Vec::with_capacity(64);
    seal.signer.sign_for_url(&out[start..], &mut signature);
    out.extend_from_slice(b"&signature=");
    out.extend_from_slice(&signature);
}

/// The signature of parameters of the WebSocket API, which hold key, window and time already.
#[must_use]
pub fn ws_signature(pairs: &[(&str, &str)], signer: &Signer) -> Vec<u8> {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let joined: Vec<String> =
        sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut out = Vec::with_capacity(64);
    signer.sign(joined.join("&").as_bytes(), &mut out);
    out
}

impl Default for Draft {
    fn default() -> Self {
        Draft::new()
    }
}

/// Appends a scaled integer as plain decimal text, without trailing zeros behind the point.
#[inline]
pub fn write_decimal(value: i64, scale: u8, out: &mut Vec<u8>) {
    // Sign, 19 digits, a point, and leading zeros of a scale of 18.
    let mut text = [b'0'; 24];
    let mut at = text.len();
    let mut rest = value.unsigned_abs();
    let mut left = scale.min(18);
    while left > 0 && rest % 10 == 0 {
        rest /= 10;
        left -= 1;
    }
    if left > 0 {
        for _ in 0..left {
            at -= 1;
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        at -= 1;
        text[at] = b'.';
    }
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        text[at] = b'-';
    }
    out.extend_from_slice(&text[at..]);
}

/// Appends a JSON string.
#[inline]
fn write_json_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if text.iter().all(|&byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(text);
    } else {
        for &byte in text {
            match byte {
                b'"' | b'\\' => out.extend([b'\\', byte]),
                0..b' ' => out.extend(format!("\\u{byte:04x}").bytes()),
                _ => out.push(byte),
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(value: i64, scale: u8) -> String {
        let mut out = Vec::new();
        write_decimal(value, scale, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals() {
        assert_eq!(decimal(0, 8), "0");
        assert_eq!(decimal(1, 8), "0.00000001");
        assert_eq!(decimal(-1050, 2), "-10.5");
        assert_eq!(decimal(3_000_050, 2), "30000.5");
        assert_eq!(decimal(100, 0), "100");
        assert_eq!(decimal(i64::MIN, 18), "-9.223372036854775808");
        assert_eq!(decimal(i64::MIN, 0), "-9223372036854775808");
        assert_eq!(decimal(1, 18), "0.000000000000000001");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_decimal_reads_back(value: i64, scale in 0_u8..19) {
            let back = veloz_core::units::parse_decimal(&decimal(value, scale), scale);
            prop_assert_eq!(back.ok(), Some(i128::from(value)));
        }

        #[test]
        fn json_text_reads_back(text: String) {
            let mut out = Vec::new();
            write_json_text(text.as_bytes(), &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).ok(), Some(text));
        }
    }

    #[test]
    fn sealing_leaves_the_draft_as_it_was() {
        let signer = Signer::new("key", "secret").unwrap();
        let seal = Seal { signer: &signer, timestamp_ms: 1, recv_window_ms: 5, logged_on: false };
        let endpoint = Endpoint {
            ws: "order.place",
            verb: "POST",
            path: "/api/v3/order",
            security: Security::Signed,
        };
        let mut draft = Draft::new();
        draft.open(endpoint).text("symbol", "A").text("side", "").text("type", "");
        let (mut first, mut second, mut form) = (Vec::new(), Vec::new(), Vec::new());
        assert!(draft.ws_frame("1", &seal, &mut first));
        assert!(draft.ws_frame("1", &seal, &mut second));
        assert_eq!(first, second);
        draft.rest_form(&seal, &mut form);
        let form = String::from_utf8(form).unwrap();
        assert!(form.ends_with(|last: char| last.is_ascii_hexdigit()), "{form}");
        assert_eq!(form.matches("timestamp=1&signature=").count(), 1);
    }
}
