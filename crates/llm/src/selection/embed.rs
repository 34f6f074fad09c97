//! For those who have an embedder: nearness of meaning beside that of words.

use std::sync::Arc;
use std::time::Duration;

use bowline_transport::BoxFuture;
use tokio::time::{Instant, timeout, timeout_at};

/// How many texts are given to an embedder at once.
const BATCH: usize = 128;
/// How much of a tool is embedded, in bytes.
const TEXT: usize = 1_024;
/// Ranks count as one over this plus the rank, so that the first places do not decide alone.
const RANKS: f32 = 60.0;

/// How long an embedder may take for one text, and for all tools of a list.
const WITHIN: Duration = Duration::from_secs(5);
const ALL_WITHIN: Duration = Duration::from_secs(60);

/// Turns texts into vectors, so that tools are found by meaning too. The ranks of both searches are added up.
///
/// It has 5 s for what a person or a model looks for, and 60 s for all tools of a list; the search goes on
/// without what it did not give by then.
pub trait Embedder: Send + Sync + 'static {
    /// A vector for each text, all of the same length; 128 texts at most.
    ///
    /// # Errors
    /// Where there are none: the search by words goes on alone, and the run tells so.
    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Vec<f32>>, String>>;
}

/// The vectors of a list of tools, in its order.
#[derive(Debug)]
pub(crate) struct Vectors(Vec<Vec<f32>>);

impl Vectors {
    pub(crate) async fn of(embedder: &Arc<dyn Embedder>, texts: Vec<String>) -> Result<Self, String> {
        let mut vectors = Vec::with_capacity(texts.len());
        let ends = Instant::now() + ALL_WITHIN;
        for batch in texts.chunks(BATCH) {
            let embedded = timeout_at(ends, embed(embedder, batch)).await;
            vectors.extend(embedded.map_err(|_| late(ALL_WITHIN))??);
        }
        Ok(Self(vectors))
    }

    /// The nearest, the best first.
    pub(crate) fn nearest(&self, to: &[f32], most: usize) -> Vec<usize> {
        let mut ranked: Vec<(f32, usize)> =
            self.0.iter().enumerate().map(|(at, vector)| (cosine(vector, to), at)).collect();
        ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        ranked.into_iter().take(most).map(|(_, at)| at).collect()
    }
}

/// The vector of what is looked for.
pub(crate) async fn embed_one(embedder: &Arc<dyn Embedder>, text: &str) -> Result<Vec<f32>, String> {
    let text = [text.to_owned()];
    let mut vectors = timeout(WITHIN, embed(embedder, &text)).await.map_err(|_| late(WITHIN))??;
    Ok(vectors.pop().unwrap_or_default())
}

fn late(limit: Duration) -> String {
    format!("the embedder gave nothing within {} s", limit.as_secs())
}

async fn embed(embedder: &Arc<dyn Embedder>, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
    let vectors = embedder.embed(texts).await?;
    if vectors.len() == texts.len() {
        return Ok(vectors);
    }
    Err(format!("the embedder gave {} vectors for {} texts", vectors.len(), texts.len()))
}

/// The text of a tool that is embedded.
pub(crate) fn text_of(name: &str, description: &str) -> String {
    let text = format!("{}: {description}", name.replace("__", " ").replace(['_', '-'], " "));
    text.get(..text.floor_char_boundary(TEXT)).unwrap_or_default().to_owned()
}

/// Two rankings as one.
pub(crate) fn fuse(one: &[usize], other: &[usize]) -> Vec<usize> {
    let mut scores: Vec<(usize, f32)> = Vec::new();
    for ranking in [one, other] {
        for (rank, item) in ranking.iter().enumerate() {
            let score = 1.0 / (RANKS + rank as f32);
            match scores.iter_mut().find(|(known, _)| known == item) {
                Some((_, sum)) => *sum += score,
                None => scores.push((*item, score)),
            }
        }
    }
    scores.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    scores.into_iter().map(|(item, _)| item).collect()
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let length = (dot(one, one) * dot(other, other)).sqrt();
    // A vector of nothing is near nothing.
    if length > 0.0 { dot(one, other) / length } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_searches_find_comes_first() {
        assert_eq!(fuse(&[1, 2, 3], &[3, 4]), [3, 1, 2, 4]);
        assert_eq!(fuse(&[], &[7]), [7]);
    }

    #[test]
    fn vectors_that_are_no_numbers_or_of_other_lengths_do_no_harm() {
        let vectors = Vectors(vec![vec![1.0, 0.0], vec![], vec![f32::NAN, 1.0], vec![0.0, 0.0]]);
        assert_eq!(vectors.nearest(&[1.0, 0.1], 10).len(), 4);
        assert_eq!(cosine(&[0.0], &[0.0]), 0.0);
    }
}
