//! A history that its provider does not take, made lighter: words in place of media, and long results cut.
//!
//! A result that a provider refuses stays in the history, so without this each later request is refused too.

use bowline_protocol::excerpt;

use crate::results::size;
use crate::{Content, Media, Message, document};

/// How much of a text of a result is left where a request is too long, in bytes.
const LEFT: usize = 4_000;

/// Puts words in place of all media, and where `cuts` the beginning in place of long results. How many pieces changed.
pub(super) fn lighten(messages: &mut [Message], cuts: bool) -> usize {
    let mut changed = 0;
    for message in messages {
        match message {
            Message::User(content) => changed += lighter(content, false),
            Message::Results(results) => {
                changed += results.iter_mut().map(|result| lighter(&mut result.content, cuts)).sum::<usize>();
            }
            _ => {}
        }
    }
    changed
}

fn lighter(content: &mut [Content], cuts: bool) -> usize {
    let mut changed = 0;
    for piece in content {
        let instead = match piece {
            Content::Media(media) => match document::told(media) {
                Some(text) if cuts && text.len() > LEFT => cut(&text),
                Some(text) => text,
                None => note(media),
            },
            Content::Text(text) if cuts && text.len() > LEFT => cut(text),
            Content::Json(raw) if cuts && raw.as_str().len() > LEFT => cut(raw.as_str()),
            _ => continue,
        };
        *piece = Content::Text(instead);
        changed += 1;
    }
    changed
}

fn note(media: &Media) -> String {
    let name = media.name.as_deref().map(|name| format!("{}: ", excerpt(name, 200))).unwrap_or_default();
    let (kind, size) = (excerpt(&media.mime_type, 80), size(media.size()));
    format!("[{name}{kind}, {size}, left out: the provider did not take the conversation with it]")
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(LEFT);
    let (head, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    format!(
        "{head}\n[{} more bytes are left out, as the conversation was too long; call the tool again for them]",
        rest.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arguments, ToolCall, ToolResult};

    #[test]
    fn media_become_words_and_long_results_are_cut_where_that_is_asked_for() {
        let call = ToolCall::new("1", "look", Arguments::read("{}"));
        let image = Content::Media(Media::new("image/png", "iVBORw0KGgoB").with_name("map.png"));
        let long = Content::text("häuser ".repeat(1_000));
        let result = ToolResult::new(&call, vec![image.clone(), long.clone(), Content::text("short")]);
        let mut lighter = vec![Message::User(vec![image]), Message::Results(vec![result])];
        assert_eq!(lighten(&mut lighter, false), 2);
        let Message::Results(results) = &lighter[1] else { panic!("results") };
        let Content::Text(told) = &results[0].content[0] else { panic!("text") };
        assert!(told.starts_with("[map.png: image/png, 9 B, left out"), "{told}");
        assert_eq!(results[0].content[1], long);
        assert_eq!(lighten(&mut lighter, true), 1);
        let Message::Results(results) = &lighter[1] else { panic!("results") };
        assert!(results[0].content[1].estimated_tokens() < 1_500);
        assert_eq!(lighten(&mut lighter, false), 0, "there is nothing left to make lighter");
    }
}
