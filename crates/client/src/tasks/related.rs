//! Which task a request of the server belongs to, and the same in its answer (2025-11-25).

use bowline_protocol::{Meta, RawJson, RelatedTaskMetadata};

use crate::members::Members;

/// The task that a request of the server belongs to, in the `_meta` of what belongs to the request.
pub(crate) fn related(meta: Option<&Meta>) -> Option<Meta> {
    let RelatedTaskMetadata { task_id, .. } = meta?.related_task()?;
    let mut related = Meta::new();
    related.set_related_task(&task_id);
    Some(related)
}

/// Says in an answer which task it belongs to (basic/utilities/tasks, associating task-related messages).
pub(crate) fn relate(answer: RawJson, related: Option<&Meta>) -> RawJson {
    related.and_then(|related| with_meta(&answer, related)).unwrap_or(answer)
}

fn with_meta(answer: &RawJson, related: &Meta) -> Option<RawJson> {
    let mut members = Members::of(Some(answer)).ok()?;
    let own: Meta = members.get("_meta").and_then(|meta| serde_json::from_str(meta.get()).ok()).unwrap_or_default();
    let both: Meta = own.iter().chain(related.iter()).map(|(key, value)| (key.clone(), value.clone())).collect();
    members.set("_meta", &both).ok()?;
    members.to_raw().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tk_05_an_answer_says_which_task_it_belongs_to_and_keeps_what_it_has() {
        let mut asked = Meta::new().with("example.com/x", 1);
        asked.set_related_task("t1");
        let related = related(Some(&asked));
        let answer: RawJson = r#"{"action":"accept","content":{"n":1},"_meta":{"own":2}}"#.parse().unwrap();
        let meta = json!({"own": 2, "io.modelcontextprotocol/related-task": {"taskId": "t1"}});
        assert_eq!(
            relate(answer.clone(), related.as_ref()).to_value(),
            json!({"action": "accept", "content": {"n": 1}, "_meta": meta})
        );
        assert_eq!(relate(answer.clone(), None), answer);
        assert_eq!(relate(RawJson::NULL, related.as_ref()), RawJson::NULL);
    }
}
