//! That a watcher notices what is wrong, with planted faults.

use super::*;

fn documents(capacity: i32) -> Documents {
    let circle = Circle {
        circle_id: "a".to_owned(),
        name: "tea".to_owned(),
        capacity,
        version: 1,
    };
    Documents::from([(circle.circle_id.clone(), document(&circle))])
}

/// One that has this, and then ends.
fn watcher(capacity: i32, sequence: u64, end: fn()) -> Watcher {
    let (tell, seen) = watch::channel(Seen::default());
    let task = tokio::spawn(async move {
        tell.send_replace(Seen {
            documents: documents(capacity),
            sequence,
        });
        end();
    });
    Watcher { seen, task }
}

#[tokio::test]
async fn what_was_told_in_time_is_enough() {
    watcher(20, 7, || {}).has(7, &documents(20)).await;
}

#[tokio::test]
#[should_panic(expected = "what the watch told")]
async fn other_documents_are_noticed_though_the_watch_has_ended() {
    watcher(21, 7, || {}).has(7, &documents(20)).await;
}

#[tokio::test]
#[should_panic(expected = "the watch got to 6 of 7")]
async fn a_watch_that_ends_early_is_noticed() {
    watcher(20, 6, || {}).has(7, &documents(20)).await;
}

#[tokio::test]
#[should_panic(expected = "out of order")]
async fn a_fault_that_the_watch_found_is_told_though_it_has_everything() {
    let found = || panic!("out of order");
    watcher(20, 7, found).has(7, &documents(20)).await;
}
