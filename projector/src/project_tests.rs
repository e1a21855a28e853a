//! What a step does while pages are on their way, and at the end of the log.

use std::time::Duration;

use test_support::mysql::Engine;
use test_support::on_every_engine;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::*;
use crate::support::World;

on_every_engine!(
    a_rewind_waits_for_what_is_on_its_way,
    only_at_the_end_of_the_log_all_is_known_to_be_applied,
    redis_is_not_asked_whenever_the_log_is,
);

async fn a_rewind_waits_for_what_is_on_its_way(engine: Engine) {
    let world = World::create(engine).await;
    world.create_circles(20).await;
    world.catch_up(&mut world.projector(10)).await;
    world.create_circles(20).await;
    let log = world.store.read_from(Sequence::ZERO.next(), 100).await;
    let log = log.unwrap();
    let at = |n: usize| Checkpoint::at(log[n].sequence, log[n].id);

    let mut projector = world.projector(10);
    let mut state = projector.find().await.unwrap().expect("a read model");
    let (open, opened) = oneshot::channel();
    let gate = async { Ok(opened.await.is_ok()) };
    let begun = projector.write_ahead(gate, 0, Sequence::ZERO, usize::MAX);
    assert!(begun.await.unwrap());
    let page = projector.apply_ahead(&mut state, at(19), at(39), &log[20..]);
    assert!(page.await.unwrap().is_some(), "it is on its way");

    world.lose_tail(30).await;
    let opening = async {
        // A step that does not wait has ended by then.
        sleep(Duration::from_millis(300)).await;
        open.send(()).unwrap();
    };
    let (step, ()) = tokio::join!(projector.step_from(&mut state), opening);
    let common = Sequence::new(30);
    assert_eq!(step.unwrap(), Step::Rewound { common });
    world.assert_consistent().await;
}

async fn only_at_the_end_of_the_log_all_is_known_to_be_applied(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    let mut last = None;
    for _ in 0..3 {
        world.create_circles(30).await;
        let begun = SystemTime::now();
        let step = projector.step().await.unwrap();
        assert!(!matches!(step, Step::Idle { .. }));
        assert_eq!(projector.as_of(), last, "there is more");
        world.catch_up(&mut projector).await;
        last = projector.as_of();
        assert!(last >= Some(begun), "{last:?}");
    }
}

async fn redis_is_not_asked_whenever_the_log_is(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    world.catch_up(&mut projector).await;
    let begun = Instant::now();
    let asked = world.connection.commands();
    for _ in 0..50 {
        let step = projector.step().await.unwrap();
        assert!(matches!(step, Step::Idle { .. }), "{step:?}");
    }
    let asked = world.connection.commands() - asked;
    // Ten times in a second at most.
    assert!(
        u128::from(asked) <= 1 + begun.elapsed().as_millis() / 100,
        "{asked}"
    );
}
