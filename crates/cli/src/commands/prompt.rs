//! `bowline prompt`: fills in a prompt.

use bowline::Client;
use bowline::protocol::Prompt;

use super::{find, renderer, server_name};
use crate::args::{Pair, listed};
use crate::exit::{CliError, Code, Stop};
use crate::options::{self, Format};
use crate::output::Output;
use crate::render;
use crate::sanitize;
use crate::session::{Logs, Run};
use crate::suggest;

pub(crate) async fn run(options: options::Prompt, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let arguments = arguments(&options, run)?;
    let name = options.name.as_str();
    if let Some(configured) = &options.server.configured {
        configured.permit_prompt(name)?;
    }
    run.with_server(&options.server, Logs::Console, async |client| {
        let prompt = find(client.prompts(), name, |prompt| &prompt.name).await?;
        let prompt = prompt.map_err(|known| unknown(name, &known, client))?;
        check(&prompt, &arguments)?;
        let mut request = client.prompt(name);
        for (key, value) in &arguments {
            request = request.arg(key.as_str(), value.as_str());
        }
        let result = request.await?;
        for problem in &result.problems {
            run.console.warn(format!("message {} cannot be read: {}", problem.index, problem.error));
        }
        let mut renderer = renderer(out, &options.save);
        match out.format() {
            Format::Json => {
                if renderer.saver.is_some() {
                    renderer.prompt(name, &result)?;
                }
                out.json(&result)
            }
            Format::Raw => out.raw(&render::raw_blocks(result.messages.iter().map(|message| &message.content))),
            _ => out.long_text(&renderer.prompt(name, &result)?),
        }
    })
    .await
}

fn arguments(options: &options::Prompt, run: &Run) -> Result<Vec<(String, String)>, CliError> {
    let mut arguments: Vec<(String, String)> = Vec::new();
    for word in &options.arguments {
        let (key, value) = Pair::parse(word)?.into_text()?;
        if let Some((_, old)) = arguments.iter_mut().find(|(known, _)| *known == key) {
            run.console.warn(format!("`{key}` is given more than once; the last one counts"));
            *old = value;
        } else {
            arguments.push((key, value));
        }
    }
    Ok(arguments)
}

fn unknown(name: &str, known: &[String], client: &Client) -> CliError {
    let hint = suggest::did_you_mean(name, known.iter().map(String::as_str));
    CliError::new(Code::Tool, format!("the server `{}` has no prompt `{}`", server_name(client), sanitize::line(name)))
        .hint(sanitize::line(&hint.unwrap_or_else(|| "`bowline list --prompts` shows its prompts".to_owned())))
}

/// Tells what is missing or unknown before anything is sent. An empty value is a value.
fn check(prompt: &Prompt, given: &[(String, String)]) -> Result<(), CliError> {
    let name = sanitize::line(&prompt.name);
    let known: Vec<&str> = prompt.arguments.iter().flatten().map(|argument| argument.name.as_str()).collect();
    if let Some((key, _)) = given.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        let hint = suggest::did_you_mean(key, known.iter().copied()).unwrap_or_else(|| {
            if known.is_empty() { "it takes no arguments".to_owned() } else { format!("it takes {}", listed(&known)) }
        });
        return Err(CliError::usage(format!("the prompt `{name}` has no argument `{key}`")).hint(sanitize::line(&hint)));
    }
    let missing = prompt.missing_arguments(given.iter().map(|(key, _)| key.as_str()));
    if missing.is_empty() {
        return Ok(());
    }
    let example: Vec<String> = missing.iter().map(|name| format!("{name}=…")).collect();
    Err(CliError::usage(sanitize::line(&format!("the prompt `{name}` needs {}", listed(&missing))))
        .hint(sanitize::line(&format!("give {}; an empty value is a value", example.join(" ")))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_prompts_004_a_missing_argument_is_told_and_an_empty_one_is_given() {
        let prompt: Prompt =
            serde_json::from_str(r#"{"name":"p","arguments":[{"name":"repository","required":true},{"name":"note"}]}"#)
                .unwrap();
        let given =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        for missing in [given(&[]), given(&[("note", "x")])] {
            let error = check(&prompt, &missing).unwrap_err();
            assert_eq!((error.code, error.message.as_str()), (Code::Usage, "the prompt `p` needs `repository`"));
        }
        check(&prompt, &given(&[("repository", "")])).unwrap();
        let error = check(&prompt, &given(&[("repositry", "x")])).unwrap_err();
        assert_eq!(error.hint.unwrap(), "did you mean `repository`?");
    }

    #[test]
    fn case_prompts_003_prompts_without_arguments_miss_none() {
        for json in
            [r#"{"name":"p"}"#, r#"{"name":"p","arguments":null}"#, r#"{"name":"p","arguments":[{"name":"a"}]}"#]
        {
            check(&serde_json::from_str(json).unwrap(), &[]).unwrap();
        }
    }
}
