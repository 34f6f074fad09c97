//! The links of the built book: what they lead to is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// What is of interest in a built page.
struct Page {
    anchors: BTreeSet<String>,
    links: Vec<String>,
}

/// Tells which links of the pages in a folder lead to no page of it, or to no anchor of the page. Addresses of other
/// sites are not asked.
pub fn dead_links(book: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(book).with_context(|| format!("cannot read {}", book.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        // The whole book as one page has the anchors of all pages, some of them twice.
        if name.ends_with(".html") && name != "print.html" {
            pages.insert(name, read(&fs::read_to_string(&path)?));
        }
    }
    let mut dead = Vec::new();
    for (name, page) in &pages {
        for link in &page.links {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { name } else { file };
            match pages.get(target) {
                None if !book.join(target).exists() => dead.push(format!("{name}: the link to {link} leads nowhere")),
                Some(page) if !anchor.is_empty() && !page.anchors.contains(anchor) => {
                    dead.push(format!("{name}: the link to {link} leads to no heading"));
                }
                _ => {}
            }
        }
    }
    Ok(dead)
}

fn read(html: &str) -> Page {
    let values = |attribute: &str| -> Vec<String> {
        let values = html.split(attribute).skip(1).filter_map(|rest| rest.split_once('"')).map(|(value, _)| value);
        values.map(|value| value.replace("&amp;", "&")).collect()
    };
    let is_local = |link: &String| !link.contains(':') && !link.is_empty();
    Page {
        anchors: values(" id=\"").into_iter().collect(),
        links: values(" href=\"").into_iter().filter(is_local).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_pages_and_anchors_that_are_not_there_are_found() {
        let book = std::env::temp_dir().join(format!("bowline-xtask-book-{}", std::process::id()));
        fs::create_dir_all(&book).unwrap();
        let page =
            r##"<h1 id="a"><a href="#a">A</a></h1><a href="b.html#b">b</a><a href="https://c.example/x.html">c</a>"##;
        fs::write(book.join("a.html"), page).unwrap();
        fs::write(book.join("b.html"), r#"<a href="a.html#z">z</a><a href="gone.html">g</a>"#).unwrap();
        let dead = dead_links(&book).unwrap();
        fs::remove_dir_all(&book).unwrap();
        let expected = [
            "a.html: the link to b.html#b leads to no heading",
            "b.html: the link to a.html#z leads to no heading",
            "b.html: the link to gone.html leads nowhere",
        ];
        assert_eq!(dead, expected);
    }
}
