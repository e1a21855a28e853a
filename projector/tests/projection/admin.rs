//! The admin service, as an operator sees it.

use circles_proto::circles::admin::v1::{
    AuditRequest, AuditResponse, GetStatusRequest, ListParkedRequest, ProjectorState,
    RebuildCircleRequest, RebuildPhase, RebuildRequest, RebuildResponse, RetryParkedRequest,
    SkipHoleRequest,
};
use shared_domain::CircleId;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::served::Served;
use crate::support::{World, update};

on_every_engine!(
    the_status_tells_how_far_it_is,
    a_rebuild_shows_the_difference_and_then_switches,
    a_dry_run_switches_nothing,
    a_rebuild_under_commands_loses_nothing,
    a_rebuild_that_was_cut_off_is_not_in_the_way,
    a_spare_database_with_something_else_is_left_alone,
    one_circle_is_rebuilt_live,
    a_circle_that_is_parked_from_its_first_event_is_known,
    an_audit_finds_and_repairs_every_kind_of_divergence,
    the_audit_in_the_background_repairs,
    the_audit_in_the_background_passes_over_what_the_log_cannot_tell,
    parked_circles_are_listed_and_retried,
    a_hole_is_let_pass_only_when_told,
    requests_that_make_no_sense_name_their_fields,
    a_stand_by_refuses_what_is_for_the_leader,
);

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

async fn all<T>(stream: Streaming<T>) -> Vec<T> {
    let mut stream = stream;
    let mut all = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        all.push(message);
    }
    all
}

async fn rebuild(served: &mut Served, dry_run: bool) -> Vec<RebuildResponse> {
    let request = RebuildRequest { dry_run };
    all(served.admin.rebuild(request).await.unwrap().into_inner()).await
}

async fn audit(served: &mut Served, repair: bool) -> AuditResponse {
    let request = AuditRequest {
        repair,
        circle_ids: Vec::new(),
    };
    let all = all(served.admin.audit(request).await.unwrap().into_inner()).await;
    let last = all.last().unwrap().clone();
    assert!(last.done);
    last
}

async fn the_status_tells_how_far_it_is(engine: Engine) {
    let world = World::create(engine).await;
    world.crowd(30).await;
    let mut served = Served::start(&world).await;
    let status = served.caught_up().await;
    assert_eq!(status.checkpoint_sequence, 30);
    assert_eq!(status.head_sequence, 30);
    assert_eq!(status.applied_events, 30);
    assert_eq!(status.builds, 1);
    assert_eq!(status.problem, "");
    world.assert_consistent().await;
}

async fn a_rebuild_shows_the_difference_and_then_switches(engine: Engine) {
    let world = World::create(engine).await;
    let (wrong, _) = world.create_circle("football").await;
    let (missing, _) = world.create_circle("judo").await;
    world.crowd(40).await;
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    let document = format!(r#"{{"id":"{wrong}","name":"golf","capacity":9,"version":1}}"#);
    world
        .redis
        .command(&["SET", &format!("circle:{wrong}"), &document]);
    world.redis.command(&["DEL", &format!("circle:{missing}")]);
    world
        .redis
        .command(&["ZADD", "circles:by_name", "0", "stray"]);

    let told = rebuild(&mut served, false).await;
    let last = told.last().unwrap();
    let progress = last.progress.as_ref().unwrap();
    assert_eq!(progress.phase(), RebuildPhase::Switched);
    assert_eq!(progress.events, 42);
    let difference = last.difference.as_ref().unwrap();
    assert_eq!(difference.divergent_circles, 2);
    assert_eq!(difference.circle_ids.len(), 2);
    // Its own, and what belongs to neither of the two documents.
    assert!(difference.stray_entries >= 1, "{difference:?}");
    served.caught_up().await;
    let ids = [wrong.to_string(), missing.to_string()];
    assert!(ids.iter().all(|id| difference.circle_ids.contains(id)));
    world.assert_consistent().await;

    // Everything goes on, in the new ones; and again.
    world.crowd(20).await;
    served.caught_up().await;
    world.assert_consistent().await;
    let told = rebuild(&mut served, false).await;
    let difference = told.last().unwrap().difference.as_ref().unwrap();
    assert_eq!(
        (difference.divergent_circles, difference.stray_entries),
        (0, 0)
    );
    world.crowd(20).await;
    served.caught_up().await;
    world.assert_consistent().await;
}

async fn a_dry_run_switches_nothing(engine: Engine) {
    let world = World::create(engine).await;
    let (wrong, _) = world.create_circle("football").await;
    world.crowd(20).await;
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    world.redis.command(&["DEL", &format!("circle:{wrong}")]);
    for _ in 0..2 {
        let told = rebuild(&mut served, true).await;
        let last = told.last().unwrap();
        assert_eq!(
            last.progress.as_ref().unwrap().phase(),
            RebuildPhase::Compared
        );
        let difference = last.difference.as_ref().unwrap();
        assert_eq!(difference.circle_ids, [wrong.to_string()]);
        assert_eq!(world.document(wrong), None);
    }
}

async fn a_rebuild_under_commands_loses_nothing(engine: Engine) {
    let world = World::create(engine).await;
    world.crowd(100).await;
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    for _ in 0..3 {
        let commands = world.crowd(60);
        let ((), told) = tokio::join!(commands, rebuild(&mut served, false));
        let last = told.last().unwrap();
        assert_eq!(
            last.progress.as_ref().unwrap().phase(),
            RebuildPhase::Switched
        );
        assert_eq!(last.difference.as_ref().unwrap().divergent_circles, 0);
        served.caught_up().await;
        world.assert_consistent().await;
    }
}

async fn a_rebuild_that_was_cut_off_is_not_in_the_way(engine: Engine) {
    let world = World::create(engine).await;
    world.crowd(200).await;
    let first = Served::start(&world).await;
    let Served {
        hosted,
        mut admin,
        spare,
        ..
    } = first;
    let request = RebuildRequest { dry_run: false };
    while admin.rebuild(request).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    hosted.stop().ended().await;
    drop(admin);
    let number = u8::try_from(spare.number()).unwrap();
    let mut second = Served::with(&world, |config| config.spare_database = number).await;
    second.caught_up().await;
    world.assert_consistent().await;
    let told = rebuild(&mut second, false).await;
    let last = told.last().unwrap();
    assert_eq!(
        last.progress.as_ref().unwrap().phase(),
        RebuildPhase::Switched
    );
    let difference = last.difference.as_ref().unwrap();
    assert_eq!(difference.divergent_circles, 0);
    assert!(difference.circles >= 7, "{difference:?}");
    world.assert_consistent().await;
}

async fn a_spare_database_with_something_else_is_left_alone(engine: Engine) {
    let world = World::create(engine).await;
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    served.spare.command(&["SET", "somebody", "else's"]);
    let request = RebuildRequest { dry_run: false };
    let mut stream = served.admin.rebuild(request).await.unwrap().into_inner();
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(reason(&status), "SPARE_IN_USE");
    assert_eq!(served.spare.command(&["GET", "somebody"]), ["else's"]);
    served.spare.command(&["DEL", "somebody"]);
    rebuild(&mut served, false).await;
}

async fn one_circle_is_rebuilt_live(engine: Engine) {
    let world = World::create(engine).await;
    let (id, _) = world.create_circle("football").await;
    world.command(id, update("golf", 30)).await;
    world.crowd(20).await;
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    world.redis.command(&["DEL", &format!("circle:{id}")]);
    world
        .redis
        .command(&["LSET", &format!("circle:{id}:history"), "0", "damaged"]);
    for changed in [true, false] {
        let request = RebuildCircleRequest {
            circle_id: id.to_string(),
        };
        let answer = served
            .admin
            .rebuild_circle(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (answer.changed, answer.version, answer.parked),
            (changed, 2, false)
        );
    }
    // Its entries in the indexes were right, so the sweep of an audit has nothing to do.
    assert_eq!(
        audit(&mut served, false)
            .await
            .difference
            .unwrap()
            .stray_entries,
        0
    );
    world.assert_consistent().await;

    let request = RebuildCircleRequest {
        circle_id: Uuid::now_v7().to_string(),
    };
    let status = served.admin.rebuild_circle(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::NotFound, "CIRCLE_NOT_FOUND")
    );
}

async fn a_circle_that_is_parked_from_its_first_event_is_known(engine: Engine) {
    let world = World::create(engine).await;
    let id = CircleId::from_uuid(Uuid::now_v7());
    world.append_unknown(id, 1).await;
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    let request = RebuildCircleRequest {
        circle_id: id.to_string(),
    };
    let answer = served.admin.rebuild_circle(request).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(
        (answer.changed, answer.version, answer.parked),
        (false, 0, true)
    );
}

async fn an_audit_finds_and_repairs_every_kind_of_divergence(engine: Engine) {
    let world = World::create(engine).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let (id, _) = world.create_circle(&format!("circle {n}")).await;
        world.command(id, update(&format!("changed {n}"), 30)).await;
        ids.push(id);
    }
    world.crowd(40).await;
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    let clean = audit(&mut served, false).await.difference.unwrap();
    assert_eq!((clean.divergent_circles, clean.stray_entries), (0, 0));
    assert!(clean.circles >= 6);

    let key = |n: usize| format!("circle:{}", ids[n]);
    let history = |n: usize| format!("circle:{}:history", ids[n]);
    let member = format!("00030changed 4\0{}0000000002", ids[4]);
    // Of a circle that the log has not, and one that lists have at the wrong place.
    let ghost = Uuid::now_v7();
    let phantom = format!(r#"{{"id":"{ghost}","name":"ghost","capacity":9,"version":1}}"#);
    let damages: [&[&str]; 8] = [
        &["DEL", &key(0)],
        &["SET", &key(1), "no JSON"],
        &["RPUSH", &history(2), "one too many"],
        &["LSET", &history(3), "0", "damaged"],
        &["ZREM", "circles:by_capacity", &member],
        &[
            "ZADD",
            "circles:by_create_time",
            "99",
            &format!("00030changed 5\0{}0000000002", ids[5]),
        ],
        &["SET", &format!("circle:{ghost}"), &phantom],
        &["ZADD", "circles:by_name", "0", "stray"],
    ];
    for damage in damages {
        world.redis.command(damage);
    }
    let found = audit(&mut served, false).await;
    let difference = found.difference.unwrap();
    assert_eq!(difference.divergent_circles, 7, "{difference:?}");
    assert!(difference.stray_entries > 0);
    assert_eq!(found.repaired, 0);

    let repaired = audit(&mut served, true).await;
    assert_eq!(repaired.difference.unwrap().divergent_circles, 7);
    assert!(repaired.repaired > 7);
    world.assert_consistent().await;
    let clean = audit(&mut served, false).await.difference.unwrap();
    assert_eq!((clean.divergent_circles, clean.stray_entries), (0, 0));
    assert_eq!(served.status().await.repaired_circles, 7);
}

async fn the_audit_in_the_background_repairs(engine: Engine) {
    let world = World::create(engine).await;
    let (id, _) = world.create_circle("football").await;
    world.crowd(40).await;
    let mut served = Served::with(&world, |config| config.audit_rate = 10_000).await;
    served.caught_up().await;
    world.redis.command(&["DEL", &format!("circle:{id}")]);
    world
        .redis
        .command(&["ZADD", "circles:by_name", "0", "stray"]);
    let status = served
        .until("repaired", |status| status.repaired_circles > 0)
        .await;
    assert_eq!(status.divergent_circles, 1);
    // The sweep comes later in the round.
    let audited = status.audited_circles;
    served
        .until("another round", |status| {
            status.audited_circles > audited + 50
        })
        .await;
    world.assert_consistent().await;
}

async fn the_audit_in_the_background_passes_over_what_the_log_cannot_tell(engine: Engine) {
    let world = World::create(engine).await;
    world.create_circle("unreadable").await;
    for _ in 0..10 {
        world.create_circle("between").await;
    }
    let (last, _) = world.create_circle("last").await;
    let mut served = Served::with(&world, |config| config.audit_rate = 10_000).await;
    served.caught_up().await;
    world
        .tamper("UPDATE circle_events SET metadata = '7' WHERE sequence = 1")
        .await;
    let audited = served.status().await.audited_circles;
    served
        .until("several rounds", |status| {
            status.audited_circles > audited + 50
        })
        .await;
    world.redis.command(&["DEL", &format!("circle:{last}")]);
    served
        .until("repaired", |status| status.repaired_circles == 1)
        .await;
    assert!(world.document(last).is_some());
}

async fn parked_circles_are_listed_and_retried(engine: Engine) {
    let world = World::create(engine).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(world.create_circle(&format!("circle {n}")).await.0);
    }
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    for id in &ids {
        world.append_unknown(*id, 2).await;
    }
    let status = served
        .until("parked", |status| status.parked_circles == 3)
        .await;
    assert_eq!(status.state(), ProjectorState::Running);

    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListParkedRequest {
            page_size: 2,
            page_token,
        };
        let page = served
            .admin
            .list_parked(request)
            .await
            .unwrap()
            .into_inner();
        listed.extend(page.circles);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let mut expected: Vec<String> = ids.iter().map(ToString::to_string).collect();
    expected.sort();
    let found: Vec<String> = listed
        .iter()
        .map(|parked| parked.circle_id.clone())
        .collect();
    assert_eq!(found, expected);
    assert!(listed.iter().all(|parked| parked.version == 2));
    assert!(
        listed[0].reason.contains("CirclePainted"),
        "{}",
        listed[0].reason
    );

    let everything = RetryParkedRequest::default();
    let answer = served
        .admin
        .retry_parked(everything)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((answer.resumed, answer.still_parked), (0, 3));
    world
        .tamper("UPDATE circle_events SET event_type = 'CircleUpdated' WHERE version = 2")
        .await;
    let one = RetryParkedRequest {
        circle_id: ids[0].to_string(),
    };
    let answer = served.admin.retry_parked(one).await.unwrap().into_inner();
    assert_eq!((answer.resumed, answer.still_parked), (1, 0));
    let everything = RetryParkedRequest::default();
    let answer = served
        .admin
        .retry_parked(everything)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((answer.resumed, answer.still_parked), (2, 0));
    let status = served.status().await;
    assert_eq!((status.divergent_circles, status.repaired_circles), (0, 3));
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    world
        .assert_consistent_with(|with| ids.iter().fold(with, |with, id| with.caught_up(id)))
        .await;
}

async fn a_hole_is_let_pass_only_when_told(engine: Engine) {
    let world = World::create(engine).await;
    let (id, _) = world.create_circle("football").await;
    world.command(id, update("golf", 30)).await;
    world.command(id, update("tennis", 40)).await;
    world.create_circle("judo").await;
    world
        .tamper("DELETE FROM circle_events WHERE sequence = 2")
        .await;
    let mut served = Served::start(&world).await;
    let status = served
        .until("halted", |status| status.state() == ProjectorState::Halted)
        .await;
    assert!(
        status.problem.contains("after event 1 comes event 3"),
        "{}",
        status.problem
    );

    let hole = |after_sequence, next_sequence| SkipHoleRequest {
        after_sequence,
        next_sequence,
    };
    let status = served.admin.skip_hole(hole(1, 4)).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "NO_SUCH_HOLE")
    );
    served.admin.skip_hole(hole(1, 3)).await.unwrap();
    let status = served.caught_up().await;
    // The circle whose event is missing waits; the other one goes on.
    assert_eq!(status.parked_circles, 1);
    world
        .assert_consistent_with(|with| with.hole_after(1).parked(3))
        .await;
    // A rebuild passes it as well.
    let told = rebuild(&mut served, false).await;
    let phase = told.last().unwrap().progress.as_ref().unwrap().phase();
    assert_eq!(phase, RebuildPhase::Switched);
    world.create_circle("chess").await;
    served.caught_up().await;
    world
        .assert_consistent_with(|with| with.hole_after(1).parked(3))
        .await;
}

async fn requests_that_make_no_sense_name_their_fields(engine: Engine) {
    let world = World::create(engine).await;
    let mut served = Served::start(&world).await;
    served.caught_up().await;
    let admin = &mut served.admin;
    let bad = || "not an id".to_owned();
    let refused = [
        admin
            .rebuild_circle(RebuildCircleRequest { circle_id: bad() })
            .await
            .unwrap_err(),
        admin
            .retry_parked(RetryParkedRequest { circle_id: bad() })
            .await
            .unwrap_err(),
        admin
            .list_parked(ListParkedRequest {
                page_size: -1,
                page_token: String::new(),
            })
            .await
            .unwrap_err(),
        admin
            .audit(AuditRequest {
                repair: false,
                circle_ids: vec![bad()],
            })
            .await
            .unwrap_err(),
    ];
    let fields = ["circle_id", "circle_id", "page_size", "circle_ids[0]"];
    for (status, field) in refused.iter().zip(fields) {
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_details_bad_request().unwrap();
        assert_eq!(details.field_violations[0].field, field);
    }
}

async fn a_stand_by_refuses_what_is_for_the_leader(engine: Engine) {
    let world = World::create(engine).await;
    let (id, _) = world.create_circle("football").await;
    let mut leader = Served::start(&world).await;
    leader.caught_up().await;
    let mut standby = Served::start(&world).await;
    standby
        .until("stands by", |status| {
            status.state() == ProjectorState::Standby
        })
        .await;
    let request = RebuildCircleRequest {
        circle_id: id.to_string(),
    };
    let status = standby.admin.rebuild_circle(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "NOT_LEADER")
    );
    let status = standby
        .admin
        .rebuild(RebuildRequest { dry_run: true })
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "NOT_LEADER");
    let hole = SkipHoleRequest {
        after_sequence: 1,
        next_sequence: 3,
    };
    let status = standby.admin.skip_hole(hole).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_LEADER");
    standby.admin.get_status(GetStatusRequest {}).await.unwrap();

    // It takes over at once when the leader ends in order.
    leader.hosted.stop().ended().await;
    world.command(id, update("golf", 30)).await;
    standby.caught_up().await;
    world.assert_consistent().await;
}
