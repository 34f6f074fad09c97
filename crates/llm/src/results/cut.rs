//! Results that are too long: what matters most stays, and the rest can be asked for.

use super::blocks::Teller;
use super::{Piece, size};
use crate::message::Content;
use crate::{document, tokens};

/// What notes of what is left out take, in tokens.
const NOTES: u64 = 120;
/// What a note in place of media takes, in tokens.
const NOTE: u64 = 60;
/// The fewest tokens that are worth a cut: below, a piece is left out whole.
const WORTH: u64 = 64;

/// The pieces that fit, in their order.
pub(super) fn to_fit(mut pieces: Vec<Piece>, max: u64, teller: &mut Teller<'_>) -> Vec<Content> {
    let weights = |pieces: &[Piece]| pieces.iter().map(|piece| piece.content.estimated_tokens()).collect::<Vec<_>>();
    let sum = |weights: &[u64]| weights.iter().fold(0_u64, |sum, weight| sum.saturating_add(*weight));
    if sum(&weights(&pieces)) > max {
        // Of a text there can be a part.
        pieces.iter_mut().for_each(as_text);
    }
    let weights = weights(&pieces);
    if sum(&weights) <= max {
        return pieces.into_iter().map(|piece| piece.content).collect();
    }
    let rooms = rooms(&pieces, &weights, max.saturating_sub(NOTES));
    let mut content = Vec::new();
    let (mut left_out, mut texts) = (0_usize, String::new());
    for ((piece, weight), room) in pieces.into_iter().zip(weights).zip(rooms) {
        if room >= weight {
            content.push(piece.content);
            continue;
        }
        match piece.content {
            Content::Media(media) => content.extend(teller.unshown("for which there is no room", &media)),
            Content::Text(text) if room >= WORTH => {
                content.push(Content::Text(shortened(&text, room, piece.name.as_deref(), "text/plain", teller)));
            }
            Content::Json(raw) if room >= WORTH => {
                content.push(Content::Text(shortened(raw.as_str(), room, None, "application/json", teller)));
            }
            Content::Text(text) => add(&mut texts, &text, &mut left_out),
            Content::Json(raw) => add(&mut texts, raw.as_str(), &mut left_out),
        }
    }
    if left_out > 0 {
        let how = teller.keep_text(None, "text/plain", &texts);
        content.push(Content::Text(format!("[{left_out} blocks left out, {}{how}]", size(texts.len()))));
    }
    content
}

/// How many tokens each piece may take: those of the highest priority first, and of the same in their order.
fn rooms(pieces: &[Piece], weights: &[u64], max: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    let priority = |n: &usize| pieces.get(*n).map_or(0.0, |piece| piece.priority);
    order.sort_by(|a, b| priority(b).total_cmp(&priority(a)));
    let (mut rooms, mut left) = (vec![0; pieces.len()], max);
    for n in order {
        let (Some(room), Some(weight)) = (rooms.get_mut(n), weights.get(n)) else { continue };
        let is_media = pieces.get(n).is_some_and(|piece| matches!(piece.content, Content::Media(_)));
        if is_media && *weight > left {
            // There is no part of one: it takes what its note takes.
            left = left.saturating_sub(NOTE);
            continue;
        }
        *room = left.min(*weight);
        // What comes after one that is cut is left out: a gap in the middle would read as if there were none.
        left = if *weight > left { 0 } else { left - weight };
    }
    rooms
}

fn add(texts: &mut String, text: &str, count: &mut usize) {
    if *count > 0 {
        texts.push_str("\n\n");
    }
    texts.push_str(text);
    *count += 1;
}

/// The beginning of a text, up to the end of a line where there is one, with a note of what is missing.
fn shortened(text: &str, room: u64, name: Option<&str>, mime_type: &str, teller: &mut Teller<'_>) -> String {
    let head = beginning(text, room);
    let how = teller.keep_text(name, mime_type, text);
    let (shown, all) = (size(head.len()), size(text.len()));
    format!("{head}\n[cut here: {shown} of {all}{how}]")
}

/// As much of a text as takes so many tokens, cut at the end of a line where that loses less than half.
fn beginning(text: &str, room: u64) -> &str {
    let head = tokens::beginning(text, room);
    match head.rfind('\n') {
        Some(line) if line >= head.len() / 2 => head.get(..line).unwrap_or(head),
        _ => head,
    }
}

/// A document that is text becomes such.
fn as_text(piece: &mut Piece) {
    if let Content::Media(media) = &piece.content
        && let Some(text) = document::told(media)
    {
        piece.content = Content::Text(text);
    }
}
