//! A list, and a watch that keeps it as it becomes.

use std::collections::BTreeMap;

use circles_proto::circles::v1::watch_circles_response::Event;
use circles_proto::circles::v1::{Circle, CircleFilter, ListCirclesRequest, WatchCirclesRequest};
use tonic::Status;

use crate::Queries;
use crate::call::call;

/// All circles with such a name, and the sequence that a watch goes on from.
pub(crate) async fn list_all(
    queries: &Queries,
    prefix: &str,
    min_sequence: i64,
) -> Result<(BTreeMap<String, Circle>, i64), Status> {
    let mut circles = BTreeMap::new();
    let mut sequence = None;
    let mut request = ListCirclesRequest {
        page_size: 2,
        filter: Some(CircleFilter {
            name_prefix: prefix.to_owned(),
            ..Default::default()
        }),
        min_sequence: Some(min_sequence),
        ..Default::default()
    };
    loop {
        let page = call(&request, async |request| {
            queries.clone().list_circles(request).await
        })
        .await?;
        let names: Vec<&str> = page
            .circles
            .iter()
            .map(|circle| circle.name.as_str())
            .collect();
        println!("page: {}", names.join(", "));
        circles.extend(
            page.circles
                .into_iter()
                .map(|circle| (circle.circle_id.clone(), circle)),
        );
        // Of the first page: what changed while the others were read is then told again.
        let sequence = *sequence.get_or_insert(page.sequence);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok((circles, sequence));
        }
    }
}

/// Keeps the circles as they become, until a change with this sequence.
///
/// After an interruption (UNAVAILABLE, RESOURCE_EXHAUSTED) watch again from the last sequence
/// received. OUT_OF_RANGE: that is too long ago; list again.
pub(crate) async fn watch(
    queries: &Queries,
    circles: &mut BTreeMap<String, Circle>,
    sequence: i64,
    until: i64,
) -> Result<(), Status> {
    let request = WatchCirclesRequest {
        from_sequence: Some(sequence),
        circle_ids: circles.keys().cloned().collect(),
    };
    let mut messages = call(&request, async |request| {
        queries.clone().watch_circles(request).await
    })
    .await?;
    while let Some(message) = messages.message().await? {
        let Some(Event::Change(change)) = message.event else {
            continue;
        };
        let kind = change.r#type().as_str_name();
        match change.circle {
            Some(circle) => circles.insert(change.circle_id, circle),
            None => circles.remove(&change.circle_id),
        };
        println!(
            "watched: {kind}, sequence {}, {} circles",
            change.sequence,
            circles.len()
        );
        if change.sequence >= until {
            break;
        }
    }
    Ok(())
}
