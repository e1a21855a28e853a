//! Logs and read models that are not what they should be.

use projector::{Projector, Step, StepError};
use test_support::mysql::Engine;
use test_support::on_every_engine;

use crate::support::{World, create, update};

on_every_engine!(
    a_hole_stops_the_projector_before_it,
    what_comes_before_a_hole_is_applied,
    an_event_of_no_circle_is_not_passed_over,
    an_event_that_cannot_be_read_parks_its_circle_until_a_program_knows_it,
    an_event_that_does_not_fit_parks_its_circle,
    a_circle_that_is_shown_wrongly_is_folded_anew_at_its_next_event,
    it_is_folded_anew_though_more_is_behind,
    every_part_of_a_circle_is_mended,
    remains_of_other_read_models_are_removed,
);

/// Six events, of which the fourth is gone.
async fn with_a_hole(engine: Engine) -> World {
    let world = World::create(engine).await;
    for _ in 0..6 {
        world.create_circle("football").await;
    }
    world
        .tamper("DELETE FROM circle_events WHERE sequence = 4")
        .await;
    world
}

async fn a_hole_stops_the_projector_before_it(engine: Engine) {
    let world = with_a_hole(engine).await;
    let mut projector = world.projector(3);
    for n in 0..4 {
        let error = loop {
            match projector.step().await {
                Ok(step) => assert!(n == 0 || step == Step::Superseded, "{step:?}"),
                Err(error) => break error,
            }
        };
        assert!(!error.is_transient());
        assert_eq!(
            error.hole().map(|(after, next)| (after.get(), next.get())),
            Some((3, 5))
        );
        let building = world.redis.command(&["GET", "circles:building"]);
        assert!(building[0].starts_with("{\"sequence\":3,"), "{building:?}");
    }
}

async fn what_comes_before_a_hole_is_applied(engine: Engine) {
    let world = with_a_hole(engine).await;
    // In read models that are built, and in those in use; at their beginning, and later.
    let mut projector = world.projector(10);
    assert_eq!(hole(&mut projector).await, Some((3, 5)));
    let building = world.redis.command(&["GET", "circles:building"]);
    assert!(building[0].starts_with("{\"sequence\":3,"), "{building:?}");
    world.redis.command(&["HSET", "circles:holes", "3", "5"]);
    let mut projector = world.projector(10);
    world.catch_up(&mut projector).await;
    for _ in 0..6 {
        world.create_circle("judo").await;
    }
    world
        .tamper("DELETE FROM circle_events WHERE sequence IN (9, 10)")
        .await;
    for mut projector in [projector, world.projector(10)] {
        assert_eq!(hole(&mut projector).await, Some((8, 11)));
        let live = world.redis.command(&["GET", "circles:checkpoint"]);
        assert!(live[0].starts_with("{\"sequence\":8,"), "{live:?}");
        assert_eq!(projector.as_of(), None);
    }
}

async fn an_event_of_no_circle_is_not_passed_over(engine: Engine) {
    let world = World::create(engine).await;
    for _ in 0..6 {
        world.create_circle("football").await;
    }
    world
        .tamper("UPDATE circle_events SET circle_id = 'impossible' WHERE sequence = 4")
        .await;
    for in_memory in [0, 1_000] {
        let mut projector = world.gathering(10, in_memory);
        for _ in 0..2 {
            let error = failure(&mut projector).await;
            assert!(!error.is_transient());
            let error = error.to_string();
            assert!(error.contains("circle_id"), "{error}");
        }
    }
}

/// Steps until one fails.
async fn failure(projector: &mut Projector) -> StepError {
    loop {
        if let Err(error) = projector.step().await {
            return error;
        }
    }
}

/// Steps until a hole is met.
async fn hole(projector: &mut Projector) -> Option<(u64, u64)> {
    let hole = failure(projector).await.hole();
    hole.map(|(after, next)| (after.get(), next.get()))
}

async fn an_event_that_cannot_be_read_parks_its_circle_until_a_program_knows_it(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(3);
    let (id, _) = world.create_circle("football").await;
    world.catch_up(&mut projector).await;
    // A newer type, and a payload that is none, in the middle of a page.
    world.command(id, update("baseball", 30)).await;
    let (broken, _) = world.create_circle("judo").await;
    for (circle, name) in [(id, "golf"), (broken, "kendo"), (id, "tennis")] {
        world.command(circle, update(name, 40)).await;
    }
    let (_, last) = world.create_circle("chess").await;
    world
        .tamper("UPDATE circle_events SET event_type = 'CirclePainted' WHERE sequence = 4")
        .await;
    world
        .tamper("UPDATE circle_events SET payload = '{\"type\":7}' WHERE sequence = 3")
        .await;
    world.catch_up(&mut projector).await;
    assert_eq!(projector.parked(), 2);
    world
        .assert_consistent_with(|with| with.parked(3).parked(4))
        .await;
    assert!(world.document(id).unwrap().contains("baseball"));

    // It stays so when the projector starts again.
    let mut projector = world.projector(3);
    world.catch_up(&mut projector).await;
    assert_eq!(projector.parked(), 2);
    world
        .assert_consistent_with(|with| with.parked(3).parked(4))
        .await;

    // A program that knows the event goes on where that one stopped.
    world
        .tamper("UPDATE circle_events SET event_type = 'CircleUpdated' WHERE sequence = 4")
        .await;
    let payload = "'{\"type\":\"circle_created\",\"name\":\"judo\",\"capacity\":20}'";
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE circle_events SET payload = {payload} WHERE sequence = 3"
    )))
    .execute(&mut world.sql().await)
    .await
    .unwrap();
    let mut projector = world.projector(3);
    world.catch_up(&mut projector).await;
    assert_eq!(projector.parked(), 0);
    let ids = [id.to_string(), broken.to_string()];
    world
        .assert_consistent_with(|with| with.caught_up(&ids[0]).caught_up(&ids[1]))
        .await;
    assert_eq!(last.sequence.get(), 7);
}

async fn an_event_that_does_not_fit_parks_its_circle(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    let (id, _) = world.create_circle("football").await;
    let (other, _) = world.create_circle("judo").await;
    world.catch_up(&mut projector).await;
    // A second creation, which no program of ours writes.
    world.command(id, update("baseball", 30)).await;
    world
        .tamper(
            "UPDATE circle_events SET event_type = 'CircleCreated', \
             payload = '{\"type\":\"circle_created\",\"name\":\"again\",\"capacity\":9}' \
             WHERE sequence = 3",
        )
        .await;
    world.command(other, update("kendo", 30)).await;
    world.catch_up(&mut projector).await;
    assert_eq!(projector.parked(), 1);
    world.assert_consistent_with(|with| with.parked(3)).await;
}

async fn a_circle_that_is_shown_wrongly_is_folded_anew_at_its_next_event(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    let (id, _) = world.create_circle("football").await;
    let (other, _) = world.create_circle("judo").await;
    world.command(id, update("golf", 30)).await;
    world.catch_up(&mut projector).await;
    // A version is missing, as a bug might have it. The projector that remembers, and one that
    // does not.
    for (capacity, mut projector) in [(40, projector), (50, world.projector(10))] {
        let history = format!("circle:{id}:history");
        world.redis.command(&["RPOP", &history]);
        world.command(id, update("baseball", capacity)).await;
        world.command(other, update("kendo", capacity)).await;
        world.catch_up(&mut projector).await;
        assert_eq!(projector.counts().repaired, 1);
        world.assert_consistent().await;
    }
}

/// Pages with more behind them are written while the next ones are folded, but not one that does not fit.
async fn it_is_folded_anew_though_more_is_behind(engine: Engine) {
    let world = World::create(engine).await;
    let (id, _) = world.create_circle("football").await;
    world.catch_up(&mut world.projector(500)).await;
    world
        .redis
        .command(&["DEL", &format!("circle:{id}:history")]);
    world.command(id, update("baseball", 30)).await;
    for _ in 0..250 {
        world.create_circle("chess").await;
    }
    let mut projector = world.projector(500);
    world.catch_up(&mut projector).await;
    world.assert_consistent().await;
    assert_eq!(projector.counts().divergent, 1);
}

async fn every_part_of_a_circle_is_mended(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    let (id, _) = world.create_circle("football").await;
    world.catch_up(&mut projector).await;
    let (document, history) = (format!("circle:{id}"), format!("circle:{id}:history"));
    let other = format!(r#"{{"id":"{id}","name":"golf","capacity":20,"version":1}}"#);
    let damages: [&[&str]; 7] = [
        &["DEL", &document],
        &["SET", &document, "no JSON"],
        &["SET", &document, &other],
        &["LPOP", &history],
        &["SET", &history, "another type"],
        &["LSET", &history, "-1", "no JSON"],
        &["DEL", "circles:by_create_time"],
    ];
    for (n, damage) in damages.into_iter().enumerate() {
        world.redis.command(damage);
        // What it remembers may be right, so one that does not.
        projector.forget();
        world.command(id, update("football", 30 + n as i64)).await;
        world.catch_up(&mut projector).await;
        world.assert_consistent().await;
    }
}

async fn remains_of_other_read_models_are_removed(engine: Engine) {
    let world = World::create(engine).await;
    world.crowd(30).await;
    world.catch_up(&mut world.projector(10)).await;
    // What another layout left, and what is not ours.
    world.redis.command(&["SET", "circles:layout", "1"]);
    world.redis.command(&["SET", "circle:remains", "{}"]);
    world.redis.command(&["SET", "circles:of-old", "{}"]);
    world.redis.command(&["SET", "else", "kept"]);
    let rewound = r#"{"common":5,"until":9,"times":1}"#;
    world.redis.command(&["SET", "circles:rewound", rewound]);
    let mut projector = world.projector(10);
    let (id, _) = world.create_circle("football").await;
    world.command(id, create("refused, as it exists")).await;
    world.catch_up(&mut projector).await;
    assert_eq!(projector.counts().builds, 1);
    assert_eq!(world.redis.command(&["GET", "else"]), ["kept"]);
    // Watches may still come that were told of what the log lost.
    let kept = world.redis.command(&["GET", "circles:rewound"]);
    assert_eq!(kept, [rewound]);
    world.redis.command(&["DEL", "else"]);
    world.assert_consistent().await;
}
