//! Calls that somebody is asked about.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline_client::ErrorKind;
use bowline_guard::{Action, Answer, Deferred, Guard, Pins, Policy, Question, Questions, Refusal, Remembered};
use bowline_store::MemoryStore;

use crate::support::{Told, connect, count, server, tool};

fn asking() -> bowline_guard::GuardBuilder {
    Guard::builder().policy(Policy::all(Action::Ask))
}

// Duty: SE-14
#[tokio::test]
async fn without_anybody_to_ask_it_does_not_go() {
    let server = server([tool("write", "")]);
    let client = connect(&asking().build(), "files", &server).await;
    let error = client.call("write").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(Refusal::of(&error).unwrap().needs_approval());
    assert!(error.to_string().contains("needs somebody's approval by the policy's default"), "{error}");
    assert_eq!(count(&server, "tools/call"), 0);
}

#[tokio::test]
async fn whoever_is_asked_sees_what_is_asked() {
    let server = server([tool("write", "")]);
    let guard = asking().approver(|question: Question| async move {
        let fits = question.title() == "call files.write"
            && question.arguments.as_deref() == Some(r#"{"q":"a"}"#)
            && question.caller.as_deref() == Some("ann");
        if fits { Answer::Allow } else { Answer::Deny }
    });
    let client = connect(&guard.build().for_caller("ann"), "files", &server).await;
    client.call("write").arg("q", "a").await.unwrap();
    let error = client.call("write").arg("q", "b").await.unwrap_err();
    assert!(error.to_string().contains("was refused by who was asked"), "{error}");
}

#[tokio::test]
async fn a_tool_that_is_approved_beforehand_needs_nobody_until_its_definition_changes() {
    let remembered = Remembered::in_memory();
    let guard = asking().pins(Pins::in_memory()).remember(remembered).approver(|question: Question| {
        // Asked about what changed, and about what is not approved.
        std::future::ready(if question.name.as_deref() == Some("gone") { Answer::Never } else { Answer::Deny })
    });
    let guard = guard.build();
    let with = |approved: &'static [&'static str], server: &bowline_testkit::MockServer| {
        let layer = guard.layer("files").approve(|tool| approved.contains(&tool));
        let connecting = layer.around(bowline_client::Client::builder()).connect(server.connector());
        async { connecting.await.unwrap() }
    };
    let first = server([tool("write", "Writes"), tool("erase", "Erases"), tool("gone", "")]);
    let client = with(&["write"], &first).await;
    client.call("write").await.unwrap();
    for refused in ["erase", "gone"] {
        assert_eq!(client.call(refused).await.unwrap_err().kind(), ErrorKind::Denied, "{refused}");
    }
    // What was refused for good stays refused.
    assert!(with(&["gone"], &first).await.call("gone").await.unwrap_err().to_string().contains("remembered"));
    let changed = server([tool("write", "Writes all")]);
    let error = with(&["write"], &changed).await.call("write").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionChanged);
}

#[tokio::test]
async fn a_lasting_answer_is_remembered_until_the_definition_changes() {
    let asked = Arc::new(AtomicUsize::new(0));
    let remembered = Remembered::in_memory();
    let guard = |answer| {
        let asked = Arc::clone(&asked);
        let told = Told::default();
        let builder = asking().pins(Pins::in_memory()).remember(remembered.clone()).approver(move |_: Question| {
            asked.fetch_add(1, Ordering::Relaxed);
            std::future::ready(answer)
        });
        (told.hear(builder).build(), told)
    };
    let (one, _) = guard(Answer::Always);
    let client = connect(&one, "files", &server([tool("write", "Writes")])).await;
    client.call("write").arg("q", "a").await.unwrap();
    client.call("write").arg("q", "b").await.unwrap();
    assert_eq!((asked.load(Ordering::Relaxed), one.stats().remembered), (1, 1));
    // Another process with the same memory.
    let (other, told) = guard(Answer::Deny);
    connect(&other, "files", &server([tool("write", "Writes")])).await.call("write").await.unwrap();
    assert_eq!(told.take().last().unwrap(), "call files.write: always (remembered)");
    // Another definition is another question, as is another server.
    connect(&guard(Answer::Deny).0, "files", &server([tool("write", "Writes all")]))
        .await
        .call("write")
        .await
        .unwrap_err();
    connect(&guard(Answer::Deny).0, "mail", &server([tool("write", "Writes")])).await.call("write").await.unwrap_err();
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(remembered.all().await.unwrap().len(), 1);
    assert_eq!(remembered.forget(Some("files")).await.unwrap(), 1);
    connect(&other, "files", &server([tool("write", "Writes")])).await.call("write").await.unwrap_err();
}

#[tokio::test]
async fn never_is_remembered_as_well() {
    let guard = asking().remember(Remembered::in_memory()).approver(|_: Question| std::future::ready(Answer::Never));
    let client = connect(&guard.build(), "files", &server([tool("write", "")])).await;
    client.call("write").await.unwrap_err();
    let error = client.call("write").await.unwrap_err();
    assert!(error.to_string().contains("was refused before, which is remembered"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_answer_is_not_waited_for_without_end() {
    let server = server([tool("write", "")]);
    let guard = asking().approver(|_: Question| std::future::pending()).patience(Duration::from_secs(20)).build();
    let client = connect(&guard, "files", &server).await;
    let begun = tokio::time::Instant::now();
    assert!(Refusal::of(&client.call("write").await.unwrap_err()).unwrap().needs_approval());
    assert_eq!(begun.elapsed(), Duration::from_secs(20));
    // The call's own limit is shorter.
    let error = client.call("write").max_time(Duration::from_secs(5)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(count(&server, "tools/call"), 0);
}

#[tokio::test(start_paused = true)]
async fn another_process_approves_through_the_store() {
    let store = Arc::new(MemoryStore::default());
    let questions = Questions::new(Arc::clone(&store));
    let guard = asking().approver(Deferred::new(store)).build();
    let client = connect(&guard, "files", &server([tool("write", "")])).await;
    let call = tokio::spawn(async move { client.call("write").await });
    let pending = loop {
        if let Some(pending) = questions.pending().await.unwrap().pop() {
            break pending;
        }
        tokio::task::yield_now().await;
    };
    assert!(questions.answer(&pending.id, Answer::Allow).await.unwrap());
    assert_eq!(call.await.unwrap().unwrap().joined_text(), "write");
}

#[tokio::test]
async fn what_is_remembered_is_about_the_whole_name_the_caller_and_the_rule() {
    let asked = Arc::new(AtomicUsize::new(0));
    let times = Arc::clone(&asked);
    let policy = "default = 'ask'\n[[rule]]\nname = 'etc'\naction = 'ask'\nargument = [{ pointer = '/q', glob = '/etc/*' }]\n# end";
    let guard = Guard::builder()
        .policy(policy.parse().unwrap())
        .remember(Remembered::in_memory())
        .approver(move |_: Question| {
            times.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Answer::Always)
        })
        .build();
    let server = server([tool("write", "")]);
    let client = connect(&guard.for_caller("ann"), "files", &server).await;
    let long = |end: &str| format!("file:///{}{end}", "x".repeat(400));
    let mut before = 0;
    let mut is_asked = || std::mem::replace(&mut before, asked.load(Ordering::Relaxed)) < asked.load(Ordering::Relaxed);
    // The server has no resources: what counts is who is asked.
    for (uri, asks) in [("a", true), ("a", false), ("b", true)] {
        let _ = client.read(long(uri)).await;
        assert_eq!(is_asked(), asks, "{uri}");
    }
    for (path, asks) in [("/tmp/a", true), ("/tmp/b", false), ("/etc/passwd", true), ("/etc/shadow", false)] {
        client.call("write").arg("q", path).await.unwrap();
        assert_eq!(is_asked(), asks, "{path}");
    }
    connect(&guard.for_caller("bob"), "files", &server).await.call("write").await.unwrap();
    assert!(is_asked());
    // Without pins a definition that changed is another one all the same.
    let other = tool("write", "Writes all");
    server.add_tool(other.clone(), crate::support::says(&other)).await;
    client.ping().await.unwrap();
    client.call("write").arg("q", "/tmp/a").await.unwrap();
    assert!(is_asked());
}

#[tokio::test]
async fn a_key_keeps_pins_and_answers_apart_and_the_name_is_for_rules_records_and_people() {
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let questions = Arc::clone(&asked);
    let (pins, remembered) = (Pins::in_memory(), Remembered::in_memory());
    let policy = "default = 'allow'\n[[rule]]\nserver = 'files'\ntool = 'write'\naction = 'ask'\n# end";
    let guard = Guard::builder()
        .policy(policy.parse().unwrap())
        .pins(pins.clone())
        .remember(remembered.clone())
        .approver(move |question: Question| {
            questions.lock().unwrap().push(question);
            std::future::ready(Answer::Always)
        })
        .build();
    let server = server([tool("write", "")]);
    for (key, times) in [("files (/a/.mcp.json)", 1), ("files (/b/.mcp.json)", 2), ("files (/a/.mcp.json)", 2)] {
        let builder = guard.layer("files").key(key).around(bowline_client::Client::builder());
        builder.connect(server.connector()).await.unwrap().call("write").await.unwrap();
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), times, "{key}");
        assert_eq!(asked[times - 1].title(), "call files.write");
    }
    let keys: Vec<_> = pins.servers().into_iter().map(|server| server.key).collect();
    assert_eq!(keys, ["files (/a/.mcp.json)", "files (/b/.mcp.json)"]);
    // Answers may have a key of their own, where a lock file is one project's and the memory everybody's.
    let builder = guard.layer("files").answers_key("files (/c/.mcp.json)").around(bowline_client::Client::builder());
    builder.connect(server.connector()).await.unwrap().call("write").await.unwrap();
    let keys: Vec<_> = asked.lock().unwrap().iter().map(|question| question.key.clone()).collect();
    assert_eq!(keys[2..], ["files (/c/.mcp.json)"]);
    assert_eq!(pins.servers()[0].key, "files");
    assert_eq!(remembered.forget(Some("files")).await.unwrap(), 0);
    assert_eq!(remembered.forget(Some("files (/a/.mcp.json)")).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_taken_out_of_a_question_tells_two_calls_apart_all_the_same() {
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let questions = Arc::clone(&asked);
    let guard = asking()
        .secrets(bowline_guard::Secrets::new(
            bowline_guard::secrets::Rules::default().with_action(bowline_guard::secrets::Action::Note),
        ))
        .approver(move |question: Question| {
            questions.lock().unwrap().push(question);
            std::future::ready(Answer::Allow)
        })
        .build();
    let client = connect(&guard, "files", &server([tool("login", "")])).await;
    for password in ["correct-horse-battery-1", "correct-horse-battery-2", "correct-horse-battery-1"] {
        client.call("login").arg("password", password).await.unwrap();
    }
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|question| question.arguments == asked[0].arguments));
    assert!(!asked[0].arguments.as_deref().unwrap().contains("horse"), "{:?}", asked[0]);
    assert_ne!(asked[0].about_arguments, asked[1].about_arguments);
    assert_eq!(asked[0].about_arguments, asked[2].about_arguments);
}

#[tokio::test]
async fn arguments_that_stand_twice_are_shown_all() {
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let questions = Arc::clone(&asked);
    let guard = asking().approver(move |question: Question| {
        questions.lock().unwrap().push(question.arguments);
        std::future::ready(Answer::Allow)
    });
    let client = connect(&guard.build(), "files", &server([tool("write", "")])).await;
    for params in [
        r#"{"name":"write","arguments":{"q":"/etc/shadow","q":"/home/me/a"}}"#,
        r#"{"name":"write","arguments":{"q":"/etc/shadow"},"arguments":{"q":"/home/me/a"}}"#,
    ] {
        let params: bowline_protocol::RawJson = params.parse().unwrap();
        // Whatever the server makes of it.
        let _ = client.request("tools/call").params(&params).await;
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    for shown in asked.iter().map(|shown| shown.as_deref().unwrap()) {
        assert!(shown.contains("/etc/shadow") && shown.contains("/home/me/a"), "{shown}");
    }
}
