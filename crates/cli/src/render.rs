//! Results as people read them.

mod lists;
mod passed;
mod save;

use bowline::protocol::{CallToolResult, ContentBlock, GetPromptResult, ReadResourceResult, ResourceContents, Role};

pub(crate) use self::lists::{prompts, prompts_of, resources, templates, tool_line, tools, tools_of};
pub(crate) use self::passed::passed;
pub(crate) use self::save::Saver;

use crate::exit::CliError;
use crate::json;
use crate::sanitize;
use crate::styled::Styled;

/// Turns results into text; binary content goes to files where the person said so.
#[derive(Debug)]
pub(crate) struct Renderer {
    /// Markdown rather than plain text.
    pub(crate) markdown: bool,
    pub(crate) saver: Option<Saver>,
}

impl Renderer {
    /// The content of a tool's result; its structured part only where there is no other.
    pub(crate) fn call(&mut self, tool: &str, result: &CallToolResult) -> Result<Styled, CliError> {
        let mut out = Styled::new();
        for block in &result.content {
            out.append(self.block(tool, block)?);
        }
        if let Some(structured) = result.structured_content.as_ref().filter(|_| result.content.is_empty()) {
            out.append(self.code("json", &json::indent(structured.as_str())));
        }
        Ok(out)
    }

    /// The contents of a resource.
    pub(crate) fn read(&mut self, result: &ReadResourceResult) -> Result<Styled, CliError> {
        let several = result.contents.len() > 1;
        let mut out = Styled::new();
        for contents in &result.contents {
            if let (true, Some(uri)) = (several, contents.uri()) {
                out.append(self.heading(uri));
            }
            out.append(self.contents(contents)?);
        }
        Ok(out)
    }

    /// The messages of a prompt.
    pub(crate) fn prompt(&mut self, name: &str, result: &GetPromptResult) -> Result<Styled, CliError> {
        let mut out = Styled::new();
        if let Some(description) = &result.description {
            out.append(Styled::new().dim(sanitize::line(description)).line().line());
        }
        for (n, message) in result.messages.iter().enumerate() {
            if n > 0 {
                out = out.line();
            }
            let role = match &message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
                other => other.as_str(),
            };
            out.append(self.heading(role));
            out.append(self.block(name, &message.content)?);
        }
        Ok(out)
    }

    /// One block of content.
    pub(crate) fn block(&mut self, origin: &str, block: &ContentBlock) -> Result<Styled, CliError> {
        Ok(match block {
            ContentBlock::Text(text) => ended(&text.text),
            ContentBlock::Image(image) => {
                self.binary("image", origin, &image.mime_type, image.decode().map_err(|e| e.to_string()))?
            }
            ContentBlock::Audio(audio) => {
                self.binary("audio", origin, &audio.mime_type, audio.decode().map_err(|e| e.to_string()))?
            }
            ContentBlock::ResourceLink(link) => {
                let name = link.title.as_deref().unwrap_or(&link.name);
                if self.markdown {
                    Styled::new().plain(format!("[{}](<{}>)\n", sanitize::line(name), sanitize::line(&link.uri)))
                } else {
                    Styled::new()
                        .dim("[link] ")
                        .plain(sanitize::line(name))
                        .dim(format!(" {}", sanitize::line(&link.uri)))
                        .line()
                }
            }
            ContentBlock::Resource(embedded) => {
                let mut out = embedded.resource.uri().map(|uri| self.heading(uri)).unwrap_or_default();
                out.append(self.contents(&embedded.resource)?);
                out
            }
            ContentBlock::Other(raw) => self.code("json", raw.as_str()),
            other => self.code("json", &serde_json::to_string(other).unwrap_or_default()),
        })
    }

    fn contents(&mut self, contents: &ResourceContents) -> Result<Styled, CliError> {
        let mime = contents.mime_type().unwrap_or_default();
        Ok(match contents {
            ResourceContents::Text(text) => ended(&text.text),
            ResourceContents::Blob(blob) => {
                self.binary("bytes", &blob.uri, mime, blob.decode().map_err(|e| e.to_string()))?
            }
            ResourceContents::Other(raw) => self.code("json", raw.as_str()),
            other => self.code("json", &serde_json::to_string(other).unwrap_or_default()),
        })
    }

    /// A note in place of binary content, and the file it was written to.
    fn binary(
        &mut self,
        kind: &str,
        origin: &str,
        mime: &str,
        bytes: Result<Vec<u8>, String>,
    ) -> Result<Styled, CliError> {
        let mime = sanitize::line(mime);
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Styled::new().dim(format!("[{kind} {mime}: {error}]")).line()),
        };
        let size = size(bytes.len());
        Ok(match &mut self.saver {
            Some(saver) => {
                let path = saver.save(origin, &mime, &bytes)?;
                Styled::new().dim(format!("[{kind} {mime}, {size}] ")).plain(path.display().to_string()).line()
            }
            None => Styled::new().dim(format!("[{kind} {mime}, {size}; --save DIR writes it to a file]")).line(),
        })
    }

    fn heading(&self, text: &str) -> Styled {
        let text = sanitize::line(text);
        if self.markdown {
            Styled::new().plain(format!("### {text}\n\n"))
        } else {
            Styled::new().bold(format!("{text}:")).line()
        }
    }

    fn code(&self, language: &str, text: &str) -> Styled {
        if self.markdown { fenced(language, text) } else { ended(text) }
    }
}

/// The bytes of `--output raw`: text as it came and binary content decoded, with a line break between blocks.
pub(crate) fn raw_blocks<'a>(blocks: impl IntoIterator<Item = &'a ContentBlock>) -> Vec<u8> {
    join(blocks.into_iter().map(|block| match block {
        ContentBlock::Text(text) => text.text.clone().into_bytes(),
        ContentBlock::Image(image) => image.decode().unwrap_or_else(|_| image.data.clone().into_bytes()),
        ContentBlock::Audio(audio) => audio.decode().unwrap_or_else(|_| audio.data.clone().into_bytes()),
        ContentBlock::Resource(embedded) => raw_one(&embedded.resource),
        ContentBlock::ResourceLink(link) => link.uri.clone().into_bytes(),
        other => serde_json::to_vec(other).unwrap_or_default(),
    }))
}

/// As [`raw_blocks`], for the contents of a resource.
pub(crate) fn raw_contents(contents: &[ResourceContents]) -> Vec<u8> {
    join(contents.iter().map(raw_one))
}

fn raw_one(contents: &ResourceContents) -> Vec<u8> {
    match contents {
        ResourceContents::Text(text) => text.text.clone().into_bytes(),
        ResourceContents::Blob(blob) => blob.decode().unwrap_or_else(|_| blob.blob.clone().into_bytes()),
        other => serde_json::to_vec(other).unwrap_or_default(),
    }
}

fn join(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for (n, part) in parts.enumerate() {
        if n > 0 {
            out.push(b'\n');
        }
        out.extend(part);
    }
    out
}

/// Text that ends its line.
fn ended(text: &str) -> Styled {
    let out = Styled::new().plain(text);
    if text.ends_with('\n') { out } else { out.line() }
}

/// A fence that the text cannot close: longer than any run of backticks in it.
fn fenced(language: &str, text: &str) -> Styled {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    Styled::new().plain(format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n')))
}

/// A number of bytes as people read it.
pub(crate) fn size(bytes: usize) -> String {
    let mut amount = bytes as f64;
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    for unit in ["kB", "MB", "GB"] {
        amount /= 1000.0;
        if amount < 1000.0 {
            return format!("{amount:.1} {unit}");
        }
    }
    format!("{:.1} TB", amount / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: fn() -> Renderer = || Renderer { markdown: false, saver: None };

    fn call(json: &str) -> CallToolResult {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_kind_of_content_has_a_text_form() {
        let result = call(
            r#"{"content":[{"type":"text","text":"a"},{"type":"hologram","mesh":"AAEC"},
            {"type":"audio","data":"AAEC","mimeType":"audio/wav"},{"type":"resource_link","uri":"file:///x","name":"x"},
            {"type":"resource","resource":{"uri":"u://1","text":"inside\n"}},{"type":"image","data":"*","mimeType":"image/png"}]}"#,
        );
        let text = PLAIN().call("t", &result).unwrap().render(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "a");
        assert!(lines[1].contains("hologram"), "{text}");
        assert_eq!(lines[2], "[audio audio/wav, 3 B; --save DIR writes it to a file]");
        assert_eq!(lines[3], "[link] x file:///x");
        assert_eq!(lines[4..6], ["u://1:", "inside"]);
        assert!(lines[6].starts_with("[image image/png: cannot decode base64"), "{text}");
    }

    #[test]
    fn structured_content_is_shown_where_there_is_no_other() {
        let only = call(r#"{"structuredContent":{"a":1}}"#);
        assert_eq!(PLAIN().call("t", &only).unwrap().render(false), "{\n  \"a\": 1\n}\n");
        let both = call(r#"{"content":[{"type":"text","text":"t"}],"structuredContent":{"a":1}}"#);
        assert_eq!(PLAIN().call("t", &both).unwrap().render(false), "t\n");
    }

    #[test]
    fn raw_text_is_the_bytes_that_came() {
        let one = call(r#"{"content":[{"type":"text","text":"a\u001b[1m"}]}"#);
        assert_eq!(raw_blocks(&one.content), b"a\x1b[1m");
        let two =
            call(r#"{"content":[{"type":"text","text":"a"},{"type":"image","data":"AAEC","mimeType":"image/png"}]}"#);
        assert_eq!(raw_blocks(&two.content), b"a\n\0\x01\x02");
    }

    #[test]
    fn a_prompt_shows_who_speaks() {
        let prompt: GetPromptResult = serde_json::from_str(
            r#"{"description":"d","messages":[{"role":"user","content":{"type":"text","text":"hi"}},
            {"role":"assistant","content":{"type":"text","text":"ho"}}]}"#,
        )
        .unwrap();
        assert_eq!(PLAIN().prompt("p", &prompt).unwrap().render(false), "d\n\nuser:\nhi\n\nassistant:\nho\n");
        let mut markdown = Renderer { markdown: true, saver: None };
        assert!(markdown.prompt("p", &prompt).unwrap().render(false).contains("### user\n\nhi\n"));
    }

    #[test]
    fn a_fence_cannot_be_closed_from_inside() {
        assert_eq!(fenced("x", "a ```` b").render(false), "`````x\na ```` b\n`````\n");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, want) in
            [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (3_000_000_000, "3.0 GB")]
        {
            assert_eq!(size(bytes), want);
        }
    }
}
