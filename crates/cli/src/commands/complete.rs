//! `bowline complete`: suggestions for an argument.

use bowline::protocol::CompletionReference;

use crate::exit::{CliError, Stop};
use crate::options::{Complete, Format};
use crate::output::Output;
use crate::sanitize;
use crate::session::{Logs, Run};
use crate::styled::Styled;

pub(crate) async fn run(options: Complete, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let reference = reference(&options.reference)?;
    let (argument, value) = pair(&options.argument)?;
    let context: Vec<(&str, &str)> = options.context.iter().map(|word| pair(word)).collect::<Result<_, _>>()?;
    if let Some(configured) = &options.server.configured {
        match &reference {
            CompletionReference::Prompt(prompt) => configured.permit_prompt(&prompt.name)?,
            CompletionReference::Resource(template) => configured.permit_resource(&template.uri)?,
            _ => {}
        }
    }
    run.with_server(&options.server, Logs::Console, async |client| {
        let mut request = client.complete(reference.clone(), argument, value);
        for (key, value) in &context {
            request = request.context(*key, *value);
        }
        let result = request.await?;
        let completion = &result.completion;
        match out.format() {
            Format::Json => out.json(&result),
            Format::Raw => {
                out.raw(completion.values.iter().map(|value| format!("{value}\n")).collect::<String>().as_bytes())
            }
            _ => {
                let mut text = Styled::new();
                for value in &completion.values {
                    text.append(Styled::new().plain(sanitize::line(value)).line());
                }
                out.text(&text)?;
                if completion.has_more == Some(true)
                    || completion.total.is_some_and(|total| total > completion.values.len() as u64)
                {
                    let total = completion.total.map(|total| format!(" of {total}")).unwrap_or_default();
                    run.console.note(format!(
                        "{}{total} shown; type more of the value to see others",
                        completion.values.len()
                    ));
                }
                Ok(())
            }
        }
    })
    .await
}

fn reference(text: &str) -> Result<CompletionReference, CliError> {
    match text.split_once(':') {
        Some(("prompt", name)) if !name.is_empty() => Ok(CompletionReference::prompt(name)),
        Some(("resource", uri)) if !uri.is_empty() => Ok(CompletionReference::resource(uri)),
        _ => Err(CliError::usage(format!("`{text}` names nothing that can be completed"))
            .hint("write prompt:NAME or resource:URI-TEMPLATE, then ARGUMENT=VALUE")),
    }
}

fn pair(text: &str) -> Result<(&str, &str), CliError> {
    text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
        CliError::usage(format!("`{text}` is no ARGUMENT=VALUE"))
            .hint("the value may be empty: `language=` asks for all suggestions")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_pairs_are_read_at_the_first_mark() {
        assert_eq!(reference("prompt:a:b").unwrap(), CompletionReference::prompt("a:b"));
        assert_eq!(reference("resource:x://{id}").unwrap(), CompletionReference::resource("x://{id}"));
        assert!(reference("a").is_err() && reference("prompt:").is_err() && reference("tool:x").is_err());
        assert_eq!(pair("a=b=c").unwrap(), ("a", "b=c"));
        assert_eq!(pair("a=").unwrap(), ("a", ""));
        assert!(pair("=b").is_err() && pair("a").is_err());
    }
}
