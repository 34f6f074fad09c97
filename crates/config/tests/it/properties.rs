//! What holds for any bytes.

use bowline_config::{Configuration, Host, Resolver, Surroundings, System};
use proptest::prelude::*;

use crate::samples::SAMPLES;

/// A sample with some of its bytes changed, left out or doubled.
fn damaged() -> impl Strategy<Value = (Host, &'static str, String)> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 0..6);
    (prop::sample::select(SAMPLES), edits).prop_map(|((host, name, text), edits)| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, kind, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        (host, name, String::from_utf8_lossy(&bytes).into_owned())
    })
}

fn read(host: Host, name: &str, text: &str) {
    let config = Configuration::read(host, name, text);
    let resolver = Resolver::new(Surroundings::new(System::Linux).with_env("KEY", "key"));
    for server in config.servers() {
        drop(server.resolve(&resolver));
        drop(format!("{server:?}"));
        assert!(config.explain(&server.name).is_some());
    }
    for problem in config.problems() {
        let told = problem.to_string();
        assert!(!told.contains(['\n', '\r', '\u{1b}']), "{told:?}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_whatever_host_it_is_for(text in any::<String>(), host in prop::sample::select(Host::ALL)) {
        for name in ["f.json", "f.jsonc", "f.toml", "f.yaml"] {
            read(host, name, &text);
        }
    }

    #[test]
    fn no_damaged_file_panics((host, name, text) in damaged()) {
        read(host, name, &text);
    }
}
