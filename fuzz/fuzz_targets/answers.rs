//! What receivers say is read or refused in peace: MessagePack and the handshake of forward, OTLP's protobuf, Loki's words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logsieve::sink::forward::handshake::{Credentials, Helo};
use logsieve::wire::msgpack::Value;
use logsieve::sink::{loki, otlp};

const WHO: Credentials<'_> = Credentials {
    host: "here",
    shared_key: "key",
    user: "user",
    password: "password",
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((value, used))) = Value::read(bytes) {
        assert_eq!(Value::read(&bytes[..used]).map(|read| read.map(|(_, used)| used)), Ok(Some(used)));
        if let Some(helo) = Helo::of(&value) {
            let ping = helo.ping(&WHO, "salt");
            assert!(matches!(Value::read(&ping), Ok(Some((Value::Array(_), n))) if n == ping.len()));
            // Nobody without the key gets in: no input holds a SHA-512 over it.
            if let Ok(Some((pong, _))) = Value::read(&bytes[used..]) {
                assert!(helo.check_pong(&pong, &WHO, "salt").is_err());
            }
        }
    }
    if let Some((rejected, message)) = otlp::answer::partial_success(bytes) {
        assert!(rejected > 0 || !message.is_empty());
    }
    let words = otlp::answer::failure(bytes);
    let refusal = loki::answer::refusal(&words, || bytes.to_vec());
    if let loki::answer::Refusal::Some { rejected, .. } = refusal {
        assert!(rejected > 0);
    }
});
