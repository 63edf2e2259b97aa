//! What senders say is taken or refused in peace: messages of the forward protocol, their login, MessagePack as it comes in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logsieve::source::receive::forward::login::Login;
use logsieve::source::receive::forward::message::{Message, count};
use logsieve::wire::msgpack::{Scan, Value};

/// As a small agent bounds it.
const LIMIT: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let mut scan = Scan::default();
    let half = scan.end(&bytes[..bytes.len() / 2]);
    let whole = scan.end(bytes);
    if let Ok(Some(end)) = half {
        assert_eq!(whole, Ok(Some(end)), "what is whole stays whole");
    }
    assert_eq!(whole, Scan::default().end(bytes), "pieces change nothing");
    let Ok(Some(end)) = whole else { return };
    assert!(end <= bytes.len());
    let frame = &bytes[..end];
    if let Ok((records, rejected)) = count(frame, LIMIT) {
        let message = Message::read(frame).expect("it was counted");
        let unpacked = message.unpack(LIMIT).expect("it was counted");
        assert!(unpacked.len() <= LIMIT.max(frame.len()));
        // An entry takes a byte at least.
        assert!(records + rejected <= unpacked.len().max(1) as u64);
    }
    if let Ok(Some((ping, _))) = Value::read(frame) {
        let login = Login { host: "here", shared_key: "key", nonce: "nonce" };
        // Nobody without the key gets in: no input holds a SHA-512 over it.
        assert!(!login.pong(&ping).1);
    }
});
