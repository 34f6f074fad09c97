//! A URL that a server wants to have visited.

use bowline::protocol::VisitUrl;
use inquire::InquireError;

use crate::prompts::Prompts;
use crate::styled::Styled;

/// What a person did with a URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Agreed; whether the browser was opened.
    Accept { opened: bool },
    /// Said no.
    Decline,
    /// Went away without an answer.
    Cancel,
    /// Pressed Ctrl-C: the whole run is to end.
    Interrupted,
}

const OPEN: &str = "open it in the browser";
const BY_HAND: &str = "I open it myself";
const DECLINE: &str = "decline";
const CANCEL: &str = "cancel";

/// Where a URL leads, and what to warn of. The host stands alone, so that nothing beside it is taken for it.
pub(crate) fn describe(url: &VisitUrl) -> Styled {
    let mut text = Styled::new().plain("  host: ").bold(url.host().to_string()).line();
    text = text.plain("  url:  ").plain(url.as_str());
    for warning in url.warnings() {
        text = text.line().bold("  warning: ").plain(warning.to_string());
    }
    text
}

/// Shows where a URL leads and asks. `open` is called only after the person said so. Blocks.
pub(crate) fn ask(
    url: &VisitUrl,
    prompts: &mut impl Prompts,
    show: impl Fn(Styled),
    open: impl FnOnce(&VisitUrl) -> Result<(), String>,
) -> Consent {
    show(describe(url));
    let options = [OPEN, BY_HAND, DECLINE, CANCEL].map(str::to_owned);
    // What is doubtful is not opened by a mere Enter.
    let start = if url.warnings().is_empty() { 0 } else { 2 };
    match prompts.one("Visit it?", None, &options, start) {
        Ok(0) => match open(url) {
            Ok(()) => Consent::Accept { opened: true },
            Err(reason) => {
                show(Styled::new().plain(format!("  the browser does not open: {reason}; open the url yourself")));
                Consent::Accept { opened: false }
            }
        },
        Ok(1) => Consent::Accept { opened: false },
        Ok(2) => Consent::Decline,
        Ok(_) => Consent::Cancel,
        Err(InquireError::OperationInterrupted) => Consent::Interrupted,
        Err(_) => Consent::Cancel,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::prompts::tests::{Said, Scripted};

    fn visit(url: &str, said: Said, opens: Result<(), String>) -> (Consent, String, Vec<String>, bool) {
        let (mut prompts, shown, opened) = (Scripted::new(vec![said]), RefCell::new(String::new()), Cell::new(false));
        let url = VisitUrl::parse(url).unwrap();
        let consent = ask(
            &url,
            &mut prompts,
            |text| RefCell::borrow_mut(&shown).push_str(&text.line().render(false)),
            |_| {
                opened.set(true);
                opens
            },
        );
        (consent, shown.into_inner(), std::mem::take(&mut prompts.asked), opened.get())
    }

    #[test]
    fn d_11_nothing_is_opened_before_the_person_saw_host_and_url_and_said_so() {
        let (consent, shown, asked, opened) = visit("https://x.example/a?b=1", Said::One(0), Ok(()));
        assert_eq!((consent, opened), (Consent::Accept { opened: true }, true));
        assert_eq!(shown, "  host: x.example\n  url:  https://x.example/a?b=1\n");
        assert_eq!(asked, ["Visit it? [0] open it in the browser|I open it myself|decline|cancel"]);
        for (said, expected) in [
            (Said::One(1), Consent::Accept { opened: false }),
            (Said::One(2), Consent::Decline),
            (Said::One(3), Consent::Cancel),
            (Said::Escape, Consent::Cancel),
            (Said::CtrlC, Consent::Interrupted),
        ] {
            let (consent, _, _, opened) = visit("https://x.example/", said, Ok(()));
            assert_eq!((consent, opened), (expected, false));
        }
    }

    #[test]
    fn d_13_what_is_doubtful_is_warned_of_and_not_opened_by_a_mere_enter() {
        let (_, shown, asked, _) = visit("https://a@xn--pple-43d.com:8443/", Said::One(3), Ok(()));
        assert!(shown.contains("host: xn--pple-43d.com\n"), "{shown}");
        assert_eq!(shown.matches("warning: ").count(), 4, "{shown}");
        assert!(asked[0].starts_with("Visit it? [2]"), "{asked:?}");
    }

    #[test]
    fn a_browser_that_does_not_open_leaves_the_visit_to_the_person() {
        let (consent, shown, _, _) = visit("https://x.example/", Said::One(0), Err("no display".into()));
        assert_eq!(consent, Consent::Accept { opened: false });
        assert!(shown.contains("does not open: no display; open the url yourself"), "{shown}");
    }
}
