use super::*;
use crate::Host;

fn parse(text: &str, grammar: &Grammar) -> (Template, usize) {
    let mut problems = Vec::new();
    let template = Template::parse(text, grammar, Place::whole("f"), &mut problems);
    (template, problems.len())
}

/// The variables of a text as `source name default`, and how many odd ones there are.
fn variables(text: &str, host: Host) -> (Vec<String>, usize) {
    let (template, odd) = parse(text, &host.facts().grammar);
    let shown = |v: &Variable| format!("{:?} {} {}", v.source, v.name, v.default().unwrap_or("-"));
    (template.variables().map(shown).collect(), odd)
}

#[test]
fn each_host_has_its_own_forms() {
    let env = |name: &str| vec![format!("Environment {name} -")];
    let with_default = vec!["Environment V d".to_owned()];
    for (host, text, expected) in [
        (Host::ClaudeCode, "a${V}b", env("V")),
        (Host::ClaudeCode, "${V:-d}", with_default.clone()),
        (Host::ClaudeCode, "$V", vec![]),
        (Host::Cursor, "${env:V}", env("V")),
        (Host::Cursor, "${userHome}/x", vec!["Host userHome -".to_owned()]),
        (Host::VsCode, "Bearer ${input:tok}", vec!["Input tok -".to_owned()]),
        (Host::VsCode, "${workspaceFolder}/.env", vec!["Host workspaceFolder -".to_owned()]),
        (Host::Windsurf, "${file:/run/k}", vec!["File /run/k -".to_owned()]),
        (Host::Roo, "${env:V}", env("V")),
        (Host::Gemini, "$V", env("V")),
        (Host::Gemini, "${V:-d}", with_default.clone()),
        (Host::Goose, "x-$V!", env("V")),
        (Host::Continue, "Bearer ${{ secrets.V }}", env("V")),
        (Host::Continue, "${{ inputs.V }}", vec!["Input V -".to_owned()]),
        (Host::LibreChat, "{{LIBRECHAT_USER_ID}}", vec!["Request LIBRECHAT_USER_ID -".to_owned()]),
        (Host::LibreChat, "${V}", env("V")),
        (Host::OpenCode, "{env:V}", env("V")),
        (Host::OpenCode, "{file:k}", vec!["File k -".to_owned()]),
        (Host::Mcporter, "$env:V/x", env("V")),
        (Host::Mcporter, "${V:-d}", with_default.clone()),
        (Host::McpHost, "${env://V:-d}", with_default.clone()),
        (Host::McpHost, "${env://V}", env("V")),
        (Host::Bowline, "${V:-d}", with_default),
        (Host::Bowline, "${keyring:k}", vec!["Keyring k -".to_owned()]),
        (Host::Bowline, "${cmd:pass show k}", vec!["Command pass show k -".to_owned()]),
        (Host::Bowline, "~/x", vec!["Host userHome -".to_owned()]),
        (Host::ClaudeDesktop, "${V}", vec![]),
        (Host::Zed, "~/x", vec![]),
    ] {
        let (found, _) = variables(text, host);
        assert_eq!(found, expected, "{host}: {text}");
        // Whatever is understood, nothing is lost.
        let (template, _) = parse(text, &host.facts().grammar);
        if !text.contains(":-") && !text.starts_with('~') {
            assert_eq!(template.shown(), text);
        }
    }
}

#[test]
fn what_is_another_hosts_form_is_told_and_stays() {
    for (host, text) in [
        (Host::ClaudeCode, "${env:V}"),
        (Host::Cursor, "${V}"),
        (Host::VsCode, "${V:-d}"),
        (Host::ClaudeDesktop, "${V}"),
        (Host::Bowline, "${V:-${W}}"),
        (Host::Bowline, "${no name}"),
        (Host::Bowline, "${env:}"),
        (Host::Continue, "${{ github.token }}"),
    ] {
        let (template, odd) = parse(text, &host.facts().grammar);
        assert_eq!((template.variables().count(), odd), (0, 1), "{host}: {text}");
        assert_eq!(template.shown(), text);
    }
}

#[test]
fn what_begins_ever_anew_and_never_ends_is_read_in_time_that_grows_with_it() {
    for (host, start) in
        [(Host::Bowline, "${"), (Host::Continue, "${{"), (Host::LibreChat, "{{"), (Host::OpenCode, "{env:")]
    {
        // Looking for the end from each start on would take hours.
        let text = start.repeat(1_000_000);
        let (template, odd) = parse(&text, &host.facts().grammar);
        assert_eq!((template.as_literal() == Some(text.as_str()), odd), (true, 10), "{host}");
    }
}

#[test]
fn a_doubled_dollar_is_a_text_in_bowlines_own_file() {
    let (template, odd) = parse("a$${V}$b%{", &Grammar::NATIVE);
    assert_eq!((template.as_literal(), odd), (Some("a${V}$b%{"), 0));
}

#[test]
fn only_names_of_variables_and_schemes_are_shown() {
    let (template, _) = parse("Bearer x1${T:-s3cret}y2", &Grammar::NATIVE);
    assert_eq!(template.masked(), "Bearer (hidden)${T}(hidden)");
    assert!(!format!("{template:?}").contains("s3cret"));
    let (template, _) = parse("Bearer ${T}", &Grammar::NATIVE);
    assert_eq!(template.masked(), "Bearer ${T}");
    assert_eq!(parse("s3cret", &Grammar::NATIVE).0.masked(), "(hidden)");
}
