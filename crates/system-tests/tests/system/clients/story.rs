//! What the examples do, and what has to come of it.

use std::process::Command;

use test_support::mysql::Engine;
use tonic_health::pb::health_check_response::ServingStatus;

use super::forgetful::Forgetful;
use super::run;
use crate::support::{System, turns};

/// Has a client tell the story to a system of its own.
///
/// Its commands go through somebody who refuses them first, and then loses their answers: a client
/// that did not try again, or made something new of it, would not come to this end.
pub(super) async fn is_told_by(mut client: Command, engine: Engine) {
    let system = System::start(engine).await;
    let services = &system.services;
    for service in [&services.command, &services.query, &services.projector] {
        turns(service, ServingStatus::Serving).await;
    }
    let forgetful = Forgetful::start(services.commands()).await;
    client.args([
        forgetful.address().to_string(),
        services.query.address().to_string(),
    ]);
    let told = tokio::task::spawn_blocking(move || run(&mut client));
    let told = told.await.unwrap();

    let id = between(&told, "created: ", ",");
    let run = between(&told, "read: example ", " ");
    assert_eq!(told, story(id, run));
    // 23 = for each of six changes three times, and for each of two that are refused twice; one is
    // made again on purpose.
    assert_eq!(
        (forgetful.calls(), forgetful.complaints()),
        (23, Vec::new())
    );

    // What the client saw is what is stored.
    assert_eq!(
        system.redis.command(&["GET", &format!("circle:{id}")]),
        [format!(
            r#"{{"id":"{id}","name":"example {run} football","capacity":40,"version":3}}"#
        )]
    );
    system.assert_consistent().await;
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let found = text
        .split_once(before)
        .and_then(|(_, rest)| rest.split_once(after));
    found.unwrap_or_else(|| panic!("no {before:?}: {text}")).0
}

fn story(id: &str, run: &str) -> String {
    format!(
        "\
invalid name: a name must not be empty or only white space
invalid capacity: a capacity is a whole number from 3 to 32767, not 2
created: {id}, version 1, sequence 1
again: {id}, version 1, sequence 1
updated: version 2, sequence 2
conflict: the circle has version 2 now
updated: version 3, sequence 3
read: example {run} football, capacity 40, version 3
page: example {run} baseball, example {run} football
page: example {run} handball
history: CIRCLE_CHANGE_TYPE_CREATED, version 1, capacity 20
history: CIRCLE_CHANGE_TYPE_UPDATED, version 2, capacity 30
history: CIRCLE_CHANGE_TYPE_UPDATED, version 3, capacity 40
watched: CIRCLE_CHANGE_TYPE_DELETED, sequence 6, 2 circles
"
    )
}
