use bowline_protocol::frame::{Incoming, Message, decode};
use bowline_protocol::{ErrorObject, ToolsCapability};
use bowline_transport::{TransportError, TransportErrorKind};

use super::*;
use crate::pages::page_call;

const SESSION: u64 = u64::MAX;
const ONE: Duration = Duration::from_millis(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn list(cursor: Option<&str>) -> Call {
    page_call(method::TOOLS_LIST, cursor).unwrap()
}

fn read(uri: &str) -> Call {
    let params = RawJson::from(serde_json::json!({ "uri": uri }));
    let mut call = Call { method: method::RESOURCES_READ.into(), name: Some(uri.into()), ..Call::default() };
    call.params = Some(params);
    call.options.keep = true;
    call
}

fn raw(json: &str) -> RawJson {
    json.parse().unwrap()
}

fn notification(json: &str) -> Notification {
    match decode(&bytes::Bytes::copy_from_slice(json.as_bytes())).unwrap() {
        Incoming::Message(Message::Notification(notification)) => notification,
        other => panic!("a notification, not {other:?}"),
    }
}

/// A store with a minute's result of each call.
fn holding(settings: Cache, calls: &[Call], now: Instant) -> Store {
    let store = Store::new(settings);
    for call in calls {
        store.put(store.ticket(call).unwrap(), &raw(r#"{"ttlMs":60000}"#), SESSION, None, now);
    }
    store
}

fn has(store: &Store, call: &Call, now: Instant) -> bool {
    store.fresh(&store.ticket(call).unwrap(), SESSION, now).is_some()
}

#[test]
fn ca_01_a_result_is_fresh_for_its_time_from_its_receipt() {
    let now = Instant::now();
    for (hint, fresh_for) in [
        (r#"{"ttlMs":1000}"#, Some(seconds(1))),
        (r#"{"ttlMs":0}"#, None),
        (r#"{"ttlMs":-5}"#, None),
        ("{}", None),
        (r#"{"ttlMs":1e300}"#, None),
        (r#"{"ttlMs":18446744073709551615}"#, Some(seconds(3600))),
    ] {
        let store = Store::new(Cache::default());
        store.put(store.ticket(&list(None)).unwrap(), &raw(hint), SESSION, None, now);
        match fresh_for {
            Some(limit) => {
                assert!(has(&store, &list(None), now + limit - ONE), "{hint}");
                assert!(!has(&store, &list(None), now + limit), "{hint}: fresh while now < received + ttl");
            }
            None => assert!(!has(&store, &list(None), now) && store.stats().entries == 0, "{hint}"),
        }
    }
    let store = Store::new(Cache::default().max_ttl(Duration::MAX));
    store.put(store.ticket(&list(None)).unwrap(), &raw(r#"{"ttlMs":18446744073709551615}"#), SESSION, None, now);
    assert!(has(&store, &list(None), now + seconds(1 << 20)));
}

#[test]
fn ca_02_another_cursor_method_or_session_misses() {
    let now = Instant::now();
    let store = holding(Cache::default(), &[list(Some("a"))], now);
    assert!(has(&store, &list(Some("a")), now));
    let prompts = page_call(method::PROMPTS_LIST, Some("a")).unwrap();
    for other in [list(None), list(Some("")), list(Some("A")), prompts] {
        assert!(!has(&store, &other, now), "{:?}", other.params);
    }
    assert!(store.fresh(&store.ticket(&list(Some("a"))).unwrap(), 0, now).is_none());
    let stats = store.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (1, 5, 1));
}

#[test]
fn ca_04_what_depends_on_more_than_the_key_has_no_ticket() {
    let store = Store::new(Cache::default());
    assert!(store.ticket(&read("note://1")).is_some());
    let with = |change: fn(&mut Call)| {
        let mut call = read("note://1");
        change(&mut call);
        store.ticket(&call).is_none()
    };
    assert!(with(|call| call.round = Some(RawJson::EMPTY_OBJECT)));
    assert!(with(|call| call.options.rare_mut().meta = Some(bowline_protocol::Meta::new())));
    assert!(with(|call| call.options.rare_mut().log_level = Some(bowline_protocol::LoggingLevel::Info)));
    assert!(with(|call| call.options.keep = false));
    assert!(with(|call| call.method = method::TOOLS_CALL.into()));
}

#[test]
fn ca_05_a_change_drops_what_it_is_about() {
    let now = Instant::now();
    let pages = [list(None), list(Some("2"))];
    let prompts = page_call(method::PROMPTS_LIST, None).unwrap();
    let templates = page_call(method::RESOURCES_TEMPLATES_LIST, None).unwrap();
    let store = holding(Cache::default(), &[list(None), list(Some("2")), prompts, templates, read("note://1")], now);
    store.heard(&notification(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#));
    assert!(pages.iter().all(|page| !has(&store, page, now)));
    assert_eq!((store.stats().entries, store.stats().dropped), (3, 2));
    store.heard(&notification(r#"{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}"#));
    store.heard(&notification(r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#));
    assert_eq!(store.stats().entries, 1);
    assert!(has(&store, &read("note://1"), now));
}

#[test]
fn ca_05_what_was_asked_before_a_change_and_came_after_it_is_not_kept() {
    let (now, store) = (Instant::now(), Store::new(Cache::default()));
    let (tools, contents) = (store.ticket(&list(None)).unwrap(), store.ticket(&read("note://1")).unwrap());
    store.heard(&notification(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#));
    for ticket in [tools, contents] {
        store.put(ticket, &raw(r#"{"ttlMs":60000}"#), SESSION, None, now);
    }
    assert!(!has(&store, &list(None), now) && has(&store, &read("note://1"), now));
}

#[test]
fn case_resources_009_r_03_an_update_drops_the_resource_its_whole_and_its_parts() {
    let now = Instant::now();
    let updated = |uri: &str| {
        let json =
            format!(r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"{uri}"}}}}"#);
        notification(&json)
    };
    let uris = ["note://1", "note://1/part", "note://1?v=2", "note://10", "note://2", "dir://a/"];
    for (uri, left) in [
        ("note://1", vec!["note://10", "note://2", "dir://a/"]),
        ("note://1/part", vec!["note://1?v=2", "note://10", "note://2", "dir://a/"]),
        ("dir://a/b", vec!["note://1", "note://1/part", "note://1?v=2", "note://10", "note://2"]),
        ("other://x", uris.to_vec()),
    ] {
        let store = holding(Cache::default(), &uris.map(read), now);
        store.heard(&updated(uri));
        let kept: Vec<_> = uris.into_iter().filter(|uri| has(&store, &read(uri), now)).collect();
        assert_eq!(kept, left, "{uri}");
    }
    let store = holding(Cache::default(), &uris.map(read), now);
    store.heard(&notification(r#"{"jsonrpc":"2.0","method":"notifications/resources/updated"}"#));
    assert_eq!(store.stats().entries, 0, "one that does not say which may be any");
}

#[test]
fn in_older_revisions_lists_are_kept_while_the_server_says_when_they_change() {
    let now = Instant::now();
    let declared = |told: bool| ServerCapabilities::new().with_tools(ToolsCapability::new().with_list_changed(told));
    for (capabilities, kept) in [(declared(true), true), (declared(false), false), (ServerCapabilities::new(), false)] {
        let store = Store::new(Cache::default());
        // What looks like a hint is none in these revisions.
        store.put(store.ticket(&list(None)).unwrap(), &raw(r#"{"ttlMs":1}"#), SESSION, Some(&capabilities), now);
        assert_eq!(has(&store, &list(None), now + seconds(3599)), kept);
        assert!(!has(&store, &list(None), now + seconds(3600)), "bounded all the same");
        store.put(store.ticket(&read("note://1")).unwrap(), &raw("{}"), SESSION, Some(&capabilities), now);
        assert!(!has(&store, &read("note://1"), now));
    }
}

#[test]
fn ca_07_stale_results_stand_in_only_where_that_is_wanted_and_the_server_is_away() {
    let now = Instant::now();
    let lost = || Error::transport(TransportError::new(TransportErrorKind::Connect, "refused"));
    let stands_in = |settings: Cache, error: &Error, at: Instant| {
        let store = holding(settings, &[list(None)], now);
        let found = store.in_place_of(&store.ticket(&list(None)).unwrap(), error, at).is_some();
        assert_eq!(store.stats().stale, u64::from(found));
        found
    };
    let wanted = Cache::default().stale_on_error(seconds(30));
    assert!(stands_in(wanted, &lost(), now + seconds(89)));
    assert!(!stands_in(wanted, &lost(), now + seconds(90)), "no older than the limit");
    assert!(!stands_in(Cache::default(), &lost(), now + seconds(61)), "off by default");
    assert!(stands_in(wanted.stale_on_error(Duration::MAX), &lost(), now + seconds(1 << 20)));
    let said = Error::server(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "broken"));
    assert!(!stands_in(wanted, &said, now + seconds(61)), "the server was there");
    let replaced = Error::new(ErrorKind::Closed, "the session was replaced");
    assert!(!stands_in(wanted, &replaced, now + seconds(61)), "the server is there");
}

#[test]
fn ca_07_an_error_that_hints_at_a_change_drops_lists_only_where_that_is_wanted() {
    let now = Instant::now();
    let error = |code| Error::server(ErrorObject::new(code, "no"));
    let wanted = Cache::default().doubt_on_error(true);
    for (settings, code, kept) in [
        (wanted, ErrorCode::INVALID_PARAMS, false),
        (wanted, ErrorCode::METHOD_NOT_FOUND, false),
        (wanted, ErrorCode::INTERNAL_ERROR, true),
        (Cache::default(), ErrorCode::INVALID_PARAMS, true),
    ] {
        let store = holding(settings, &[list(None)], now);
        store.doubt(method::TOOLS_CALL, &error(code));
        assert_eq!(has(&store, &list(None), now), kept, "{code}");
    }
    let store = holding(wanted, &[page_call(method::RESOURCES_LIST, None).unwrap(), list(None)], now);
    store.doubt(method::RESOURCES_READ, &error(ErrorCode::RESOURCE_NOT_FOUND));
    assert_eq!(store.stats().entries, 1);
}

#[test]
fn the_bounds_hold_and_what_makes_room_is_counted() {
    let now = Instant::now();
    let calls: Vec<Call> = (0..10).map(|n| list(Some(&n.to_string()))).collect();
    let store = holding(Cache::default().max_entries(4), &calls, now);
    assert_eq!((store.stats().entries, store.stats().evictions), (4, 6));
    assert!(has(&store, &list(Some("9")), now) && !has(&store, &list(Some("0")), now));

    let store = holding(Cache::default().max_bytes(2000), &calls, now);
    let stats = store.stats();
    assert!(stats.bytes <= 2000 && stats.entries > 0 && stats.entries + stats.evictions as usize == 10, "{stats:?}");
    let large = raw(&format!(r#"{{"ttlMs":60000,"x":"{}"}}"#, "x".repeat(2000)));
    store.put(store.ticket(&list(Some("9"))).unwrap(), &large, SESSION, None, now);
    assert!(!has(&store, &list(Some("9")), now), "the old one is not what the server said last");
    store.clear();
    assert_eq!((store.stats().entries, store.stats().bytes), (0, 0));
}
