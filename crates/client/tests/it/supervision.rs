//! What is told of the connection, servers that say nothing, children that keep dying.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Client, ClientBuilder, ConnectionEvent, ConnectionEvents, ErrorKind, KeepAlive, Reconnect};
use bowline_protocol::{CallToolResult, Revision, Tool};
use bowline_testkit::{Misbehaviour, MockServer, When};
use bowline_transport::{BoxFuture, Connect, Limits, Sent, Transport, TransportError, WrapConnect};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::peer::{Answer, gated, tools};
use crate::scene::{Scene, lose};

const SECOND: Duration = Duration::from_secs(1);
/// After so long a connection was a good one, and the first attempt to replace it is made at once.
const LONG: Duration = Duration::from_secs(11);

/// A change in a word or two.
fn short(change: &ConnectionEvent) -> String {
    match change {
        ConnectionEvent::Connecting { attempt } => format!("connecting {attempt}"),
        ConnectionEvent::Connected { connection, .. } => format!("connected {connection}"),
        ConnectionEvent::Failed { attempt, error } => format!("failed {attempt} {:?}", error.kind()),
        ConnectionEvent::Lost { .. } => "lost".to_owned(),
        ConnectionEvent::Waiting { attempt, .. } => format!("waiting {attempt}"),
        ConnectionEvent::GaveUp { error, .. } => format!("gave up {:?}", error.kind()),
        ConnectionEvent::SessionReplaced => "session replaced".to_owned(),
        ConnectionEvent::SubscriptionResumed { .. } => "subscription resumed".to_owned(),
        ConnectionEvent::Closed { .. } => "closed".to_owned(),
        ConnectionEvent::Missed(count) => format!("missed {count}"),
        other => format!("{other:?}"),
    }
}

/// The changes up to and with this one.
async fn until(events: &mut ConnectionEvents, last: &str) -> Vec<String> {
    let mut changes = Vec::new();
    while changes.last().is_none_or(|change| change != last) {
        changes.push(short(&events.next().await.unwrap()));
    }
    changes
}

#[tokio::test(start_paused = true)]
async fn each_change_is_told_in_order_from_the_first_attempt_to_the_end() {
    let scene = Scene::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let builder = Client::builder().revision(Revision::LATEST_HANDSHAKE).on_connection({
        let told = Arc::clone(&told);
        move |change| told.lock().unwrap().push(short(&change))
    });
    let client = builder.connect(scene.way()).await.unwrap();
    sleep(LONG).await;
    lose(&scene, &client).await;
    scene.failures.store(2, Ordering::SeqCst);
    client.call("echo").await.unwrap();
    client.close().await.unwrap();
    assert_eq!(
        *told.lock().unwrap(),
        [
            "connecting 1",
            "connected 0",
            "lost",
            "connecting 1",
            "failed 1 Connect",
            "waiting 2",
            "connecting 2",
            "failed 2 Connect",
            "waiting 3",
            "connecting 3",
            "connected 1",
            "session replaced",
            "closed",
        ]
    );
    assert_eq!(client.connection_events().next().await.as_ref().map(short).as_deref(), Some("closed"));
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_fails_is_told_as_well() {
    let scene = Scene::new();
    scene.failures.store(1, Ordering::SeqCst);
    let told = Arc::new(Mutex::new(Vec::new()));
    let builder = Client::builder().on_connection({
        let told = Arc::clone(&told);
        move |change| told.lock().unwrap().push(short(&change))
    });
    builder.connect(scene.way()).await.unwrap_err();
    assert_eq!(*told.lock().unwrap(), ["connecting 1", "failed 1 Connect"]);
}

#[tokio::test(start_paused = true)]
async fn subscriptions_that_are_taken_up_again_are_told_in_both_eras() {
    for (revision, replaced) in [(Revision::LATEST_HANDSHAKE, true), (Revision::V2026_07_28, false)] {
        let scene = Scene::of_all_revisions();
        let client = Client::builder().revision(revision).connect(scene.way()).await.unwrap();
        let _subscription = client.subscribe("note://1").await.unwrap();
        let mut events = client.connection_events();
        sleep(LONG).await;
        scene.server.disconnect();
        let changes = until(&mut events, "subscription resumed").await;
        let expected: Vec<&str> = ["lost", "connecting 1", "connected 1", "session replaced", "subscription resumed"]
            .into_iter()
            .filter(|change| replaced || *change != "session replaced")
            .collect();
        assert_eq!(changes, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_listens_too_slowly_is_told_how_much_was_missed_and_the_end_with_the_client() {
    let scene = Scene::new();
    let client = scene.client().await;
    let mut events = client.connection_events();
    for _ in 0..100 {
        lose(&scene, &client).await;
        client.call("echo").await.unwrap();
    }
    // Lost, connecting, connected, session replaced; and waiting, but for the first time.
    let first = events.next().await.unwrap();
    let ConnectionEvent::Missed(missed) = first else { panic!("{first:?}") };
    drop(client);
    let mut rest = 0;
    while events.next().await.is_some() {
        rest += 1;
    }
    assert_eq!(rest, 256);
    assert!(missed > 100, "{missed}");
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_told_with_its_time_and_tried_at_once_where_that_is_asked_for() {
    let scene = Scene::new();
    let client = Client::builder().reconnect(Reconnect::default().with_attempts(2)).connect(scene.way()).await.unwrap();
    lose(&scene, &client).await;
    let mut events = client.connection_events();
    scene.failures.store(u32::MAX, Ordering::SeqCst);
    client.call("echo").await.unwrap_err();
    let until = loop {
        if let Some(ConnectionEvent::GaveUp { until, error }) = events.next().await {
            assert_eq!(error.kind(), ErrorKind::Connect);
            break until;
        }
    };
    assert_eq!(until, SECOND * 30);
    scene.failures.store(0, Ordering::SeqCst);
    client.call("echo").await.unwrap_err();
    client.retry_now();
    client.call("echo").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_child_that_keeps_dying_is_left_alone_and_the_error_says_so() {
    let scene = Scene::new();
    let policy = Reconnect::default().with_max_restarts(3, SECOND * 60);
    let client = Client::builder().reconnect(policy).connect(scene.child()).await.unwrap();
    let mut events = client.connection_events();
    let began = Instant::now();
    for _ in 0..3 {
        lose(&scene, &client).await;
        client.call("echo").await.unwrap();
    }
    lose(&scene, &client).await;
    let error = client.call("echo").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Connect, Sent::No));
    let text = error.to_string();
    assert!(text.contains("the server was started 3 times within 60s and did not stay"), "{text}");
    assert!(text.contains("the last time: ") && text.contains("Client::retry_now"), "{text}");
    let wait = error.retry_after().unwrap();
    assert!(wait > SECOND * 50 && wait <= SECOND * 60, "{wait:?}");
    until(&mut events, "gave up Connect").await;
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 1 + 3);

    // Calls in between start nothing, and are told how long it is still so.
    sleep(SECOND * 10).await;
    let later = client.call("echo").await.unwrap_err().retry_after().unwrap();
    assert!(later <= wait - SECOND * 9, "{later:?}");
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 1 + 3);
    sleep(later).await;
    client.call("echo").await.unwrap();
    assert!(began.elapsed() >= SECOND * 60);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_left_alone_is_started_where_that_is_asked_for() {
    let scene = Scene::new();
    let policy = Reconnect::default().with_max_restarts(1, SECOND * 3600);
    let client = Client::builder().reconnect(policy).connect(scene.child()).await.unwrap();
    for _ in 0..3 {
        lose(&scene, &client).await;
        client.call("echo").await.unwrap();
        lose(&scene, &client).await;
        client.call("echo").await.unwrap_err();
        client.retry_now();
        client.call("echo").await.unwrap();
        client.retry_now();
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_that_fail_are_starts_of_a_child_too_and_none_of_a_server_that_lives_on() {
    let policy = Reconnect::default().with_attempts(100).with_max_restarts(5, SECOND * 3600);
    let scene = Scene::new();
    let client = Client::builder().reconnect(policy).connect(scene.child()).await.unwrap();
    lose(&scene, &client).await;
    scene.failures.store(u32::MAX, Ordering::SeqCst);
    let error = client.call("echo").await.unwrap_err();
    assert!(
        error.to_string().contains("started 5 times") && error.to_string().contains("the way is closed"),
        "{error}"
    );
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 1 + 5);

    let scene = Scene::new();
    let client = Client::builder().reconnect(policy).connect(scene.way()).await.unwrap();
    lose(&scene, &client).await;
    scene.failures.store(20, Ordering::SeqCst);
    let call = client.call("echo").idle_timeout(SECOND * 3600).max_time(SECOND * 3600);
    call.await.unwrap();
}

/// A way whose connections after the first are opened when they are let through.
struct Gate<C> {
    inner: C,
    opened: Arc<Semaphore>,
    attempts: Arc<AtomicU32>,
}

impl<C: Connect> WrapConnect for Gate<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.inner
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            if self.attempts.fetch_add(1, Ordering::SeqCst) > 0 {
                self.opened.acquire().await.unwrap().forget();
            }
            self.inner.connect().await
        })
    }

    fn server_lives_on(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_under_way_is_what_was_asked_for() {
    let scene = Scene::new();
    let (opened, attempts) = (Arc::new(Semaphore::new(0)), Arc::default());
    let gate = Gate { inner: scene.way(), opened: Arc::clone(&opened), attempts: Arc::clone(&attempts) };
    let client = Client::builder().reconnect(Reconnect::default().with_attempts(2)).connect(gate).await.unwrap();
    lose(&scene, &client).await;
    scene.failures.store(2, Ordering::SeqCst);
    opened.add_permits(1);
    let calling = tokio::spawn({
        let client = client.clone();
        async move { client.call("echo").await }
    });
    sleep(SECOND).await;
    for _ in 0..3 {
        client.retry_now();
        sleep(SECOND).await;
    }
    // One has failed, the next waits for its way.
    assert_eq!(attempts.load(Ordering::SeqCst), 1 + 2);
    // Where that fails as well, it was the first since.
    opened.add_permits(2);
    calling.await.unwrap().unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_calls_leave_no_room_for_says_nothing_of_the_server() {
    let (release, released) = tokio::sync::watch::channel(());
    let server = MockServer::builder()
        .tool(Tool::new("long", serde_json::json!({"type": "object"})), move |_| {
            let mut released = released.clone();
            async move {
                released.changed().await.ok();
                Ok(CallToolResult::text("done"))
            }
        })
        .build();
    let connector = server.connector().with_limits(Limits::default().with_max_open_exchanges(1));
    let client = Client::builder().keep_alive(SECOND * 5).connect(connector).await.unwrap();
    let calling = tokio::spawn({
        let client = client.clone();
        async move { client.call("long").idle_timeout(SECOND * 3600).max_time(SECOND * 3600).await }
    });
    sleep(SECOND * 60).await;
    assert!(!client.is_closed() && !calling.is_finished());
    release.send_replace(());
    calling.await.unwrap().unwrap();
    // From now on there is room, and a server that does not answer is one that is dead.
    server.misbehave(When::method("ping").nth(1), Misbehaviour::NeverAnswer);
    sleep(SECOND * 60).await;
    assert!(client.is_closed());
}

fn pings(scene: &Scene) -> usize {
    scene.server.received().iter().filter(|line| ["ping", "server/discover"].contains(&line.method())).count()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_heard_is_not_asked_whether_it_lives() {
    for revision in [Revision::LATEST_HANDSHAKE, Revision::V2026_07_28] {
        let scene = Scene::of_all_revisions();
        let builder = Client::builder().revision(revision).keep_alive(SECOND * 5);
        let client = builder.connect(scene.way()).await.unwrap();
        let asked = pings(&scene);
        let _subscription = client.subscribe("note://1").await.unwrap();
        for n in 0..30 {
            sleep(SECOND * 2).await;
            // What was asked for counts, and what comes unasked.
            if n < 15 {
                client.call("echo").await.unwrap();
            } else {
                scene.server.resource_updated("note://1").await;
            }
        }
        assert_eq!(pings(&scene), asked, "{revision}");
        sleep(SECOND * 23).await;
        assert_eq!(pings(&scene), asked + 4, "{revision}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_connection_is_found_after_silence_and_patience_and_replaced() {
    let scene = Scene::new();
    let keep_alive = KeepAlive::after(SECOND * 20).with_patience(SECOND * 3);
    let client = Client::builder()
        .revision(Revision::LATEST_HANDSHAKE)
        .keep_alive(keep_alive)
        .connect(scene.way())
        .await
        .unwrap();
    let mut events = client.connection_events();
    scene.server.misbehave(When::method("ping").nth(1), Misbehaviour::NeverAnswer);
    let began = Instant::now();
    let Some(ConnectionEvent::Lost { error }) = events.next().await else { panic!("it is lost first") };
    assert!(error.to_string().contains("did not answer a ping within 3s"), "{error}");
    assert_eq!(began.elapsed().as_secs(), 23);
    client.call("echo").await.unwrap();
    assert_eq!(until(&mut events, "session replaced").await, ["connecting 1", "connected 1", "session replaced"]);
}

#[tokio::test(start_paused = true)]
async fn whatever_comes_while_a_ping_waits_shows_that_the_server_lives() {
    let scene = Scene::new();
    let client = Client::builder()
        .revision(Revision::LATEST_HANDSHAKE)
        .keep_alive(SECOND * 5)
        .connect(scene.way())
        .await
        .unwrap();
    let _subscription = client.subscribe("note://1").await.unwrap();
    scene.server.misbehave(When::method("ping").nth(1), Misbehaviour::NeverAnswer);
    sleep(SECOND * 7).await;
    assert_eq!(pings(&scene), 1);
    scene.server.resource_updated("note://1").await;
    sleep(SECOND * 60).await;
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 1);
    assert!(pings(&scene) > 5);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_of_a_silent_server_unless_that_is_set() {
    let scene = Scene::new();
    let _client = scene.client().await;
    let asked = pings(&scene);
    sleep(SECOND * 86_400).await;
    assert_eq!(pings(&scene), asked);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_with_the_reason() {
    type Change = fn(ClientBuilder) -> ClientBuilder;
    let cases: [(Change, &str); 7] = [
        (|it| it.keep_alive(Duration::ZERO), "keep_alive asks after 0ns of silence; set 1 s or more"),
        (|it| it.keep_alive(KeepAlive::after(SECOND).with_patience(Duration::ZERO)), "keep_alive has no patience"),
        (|it| it.reconnect(Reconnect::default().with_max_delay(Duration::ZERO)), "is above max_delay (0ns)"),
        (|it| it.reconnect(Reconnect::default().with_base_delay(SECOND * 60)), "base_delay (60s) is above max_delay"),
        (|it| it.reconnect(Reconnect::default().with_max_restarts(0, SECOND)), "max_restarts is 0"),
        (|it| it.reconnect(Reconnect::default().with_max_restarts(u32::MAX, SECOND)), "set 10000 or less"),
        (|it| it.reconnect(Reconnect::default().with_max_restarts(3, Duration::ZERO)), "restart_window is 0ns"),
    ];
    let scene = Scene::new();
    for (change, why) in cases {
        let refused = change(Client::builder()).connect(scene.way()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains(why), "{refused}");
    }
    assert_eq!(scene.attempts.load(Ordering::SeqCst), 0, "nothing is connected to");
    Client::builder().reconnect(Reconnect::NEVER).connect(scene.way()).await.unwrap();
}

/// A way to a server that wants a person to log in, who takes their time.
struct Login<C> {
    inner: C,
    asked: AtomicBool,
    takes: Duration,
}

impl<C: Connect> Connect for Login<C> {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async {
            self.asked.store(true, Ordering::SeqCst);
            sleep(self.takes).await;
            self.asked.store(false, Ordering::SeqCst);
            self.inner.connect().await
        })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn waits_for_person(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_who_is_asked_to_log_in_has_their_own_time() {
    let takes = Duration::from_secs(290);
    let way = Login { inner: Scene::new().server.connector(), asked: AtomicBool::new(false), takes };
    let begun = Instant::now();
    Client::builder().connect(way).await.unwrap().close().await.unwrap();
    assert!(begun.elapsed() >= takes);
}

/// A way to a server whose first question waits for a person.
struct Challenged<C> {
    inner: C,
    asked: Arc<AtomicBool>,
}

impl<C: Connect> WrapConnect for Challenged<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.inner
    }

    fn waits_for_person(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_not_silent_while_a_person_is_asked() {
    let (inner, questions, gate) = gated("server/discover", |_| Answer::result(tools(&["a"], None)));
    let asked = Arc::new(AtomicBool::new(true));
    let way = Challenged { inner, asked: Arc::clone(&asked) };
    let connecting = tokio::spawn(Client::builder().connect(way));
    sleep(Duration::from_secs(290)).await;
    asked.store(false, Ordering::SeqCst);
    // The time of the server itself.
    sleep(SECOND).await;
    gate.send(()).await.unwrap();
    let client = connecting.await.unwrap().unwrap();
    client.tools().all().await.unwrap();
    assert_eq!((questions.count("server/discover"), questions.count("initialize")), (1, 0));
}
