//! What is shown wrongly is found and mended.

use read_model::{
    ChangePosition, ListQuery, Order, Outcome, ParkedEvent, Repair, RepairMode, Repaired, Standing,
    Sweep,
};
use shared_domain::{CircleId, Sequence, Version};
use test_support::redis::{Engine, RedisDatabase};

use crate::rig::{Peek, Rig, shared};
use crate::world::every_list;

async fn with_some(engine: Engine) -> (Rig<RedisDatabase>, CircleId, CircleId) {
    let mut rig = shared(engine).await;
    let (chess, go) = (rig.world.create("chess", 20), rig.world.create("go", 30));
    rig.catch_up().await;
    rig.world.update(chess, Some("shogi"), None);
    rig.world.delete(go);
    rig.world.create("judo", 9);
    rig.catch_up().await;
    (rig, chess, go)
}

async fn all(rig: &Rig<RedisDatabase>, mode: RepairMode) -> Vec<CircleId> {
    let repairs: Vec<Repair> = rig
        .world
        .histories
        .keys()
        .map(|id| rig.world.repair(*id))
        .collect();
    let standing = rig.standing().await;
    let done = rig.partition().repair(&standing, &repairs, mode).await;
    let Ok(Repaired::Done {
        standing: after,
        changed,
    }) = done
    else {
        panic!("{done:?}")
    };
    let written = u64::from(mode == RepairMode::Repair && !changed.is_empty());
    let revision = standing.revision + written;
    assert_eq!(
        after,
        Standing {
            revision,
            ..standing
        }
    );
    assert_eq!(rig.standing().await, after);
    changed
}

/// Everything that the server has of this read model, but for corrections and
/// what counts writes.
async fn content(peek: &Peek) -> Vec<String> {
    let script = "local all = {} \
        local keys = redis.call('KEYS', '*') table.sort(keys) \
        for _, key in ipairs(keys) do \
          local kind = redis.call('TYPE', key).ok \
          local value = kind == 'string' and {redis.call('GET', key)} \
            or kind == 'list' and redis.call('LRANGE', key, 0, -1) \
            or kind == 'zset' and redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') \
            or kind == 'hash' and redis.call('HGETALL', key) or {} \
          if key ~= 'circles:revision' then \
            all[#all + 1] = key \
            for _, text in ipairs(value) do all[#all + 1] = text end \
          end \
        end return all";
    peek.send("EVAL", &[script, "0"]).await
}

pub(crate) async fn nothing_is_found_where_all_is_well(engine: Engine) {
    let (rig, ..) = with_some(engine).await;
    let before = content(&rig.peek().await).await;
    for mode in [RepairMode::Compare, RepairMode::Repair] {
        assert_eq!(all(&rig, mode).await, []);
    }
    assert_eq!(content(&rig.peek().await).await, before);
}

pub(crate) async fn every_damage_is_found_and_mended(engine: Engine) {
    let (rig, chess, go) = with_some(engine).await;
    let peek = rig.peek().await;
    let right = content(&peek).await;
    let document = format!("circle:{chess}");
    let history = format!("circle:{chess}:history");
    let by_capacity = format!("00020shogi\0{chess}0000000002");
    let by_name = format!("shogi\0{chess}000200000000002");
    let stored: String = peek.send("GET", &[&document]).await;
    let entry: String = peek.send("LINDEX", &[&history, "0"]).await;
    let deleted = format!("circle:{go}");
    let shown = format!(r#"{{"id":"{go}","name":"go","capacity":30,"version":1}}"#);
    let parks = r#"{"sequence":3,"version":2,"reason":"?"}"#;
    let chess_text = chess.to_string();

    type Damage<'a> = (&'static str, Vec<&'a str>, CircleId, bool);
    let damages: Vec<Damage<'_>> = vec![
        ("DEL", vec![&document], chess, true),
        ("SET", vec![&document, "?"], chess, true),
        ("SET", vec![&deleted, &shown], go, true),
        ("ZREM", vec!["circles:by_name", &by_name], chess, false),
        (
            "ZREM",
            vec!["circles:by_capacity", &by_capacity],
            chess,
            false,
        ),
        (
            "ZREM",
            vec!["circles:by_create_time", &by_capacity],
            chess,
            false,
        ),
        (
            "ZADD",
            vec!["circles:by_create_time", "2", &by_capacity],
            chess,
            false,
        ),
        ("RPOP", vec![&history], chess, false),
        ("RPUSH", vec![&history, &entry], chess, false),
        ("LSET", vec![&history, "1", &entry], chess, false),
        ("DEL", vec![&history], chess, false),
        (
            "HSET",
            vec!["circles:parked", &chess_text, parks],
            chess,
            false,
        ),
    ];
    let changes = async || {
        rig.partition()
            .changes_before(None, 1)
            .await
            .unwrap()
            .entries
    };
    let mut corrections = 0;
    for (command, arguments, id, is_shown) in damages {
        let what = format!("{command} {arguments:?}");
        let _: fred::types::Value = peek.send(command, &arguments).await;
        let damaged = content(&peek).await;
        assert_eq!(all(&rig, RepairMode::Compare).await, [id], "{what}");
        assert_eq!(content(&peek).await, damaged, "{what}");
        assert_eq!(all(&rig, RepairMode::Repair).await, [id], "{what}");
        assert_eq!(content(&peek).await, right, "{what}");
        // Watches are told where it was shown wrongly.
        corrections += u64::from(is_shown);
        let last = changes().await.remove(0);
        let sequence = rig.world.checkpoint.sequence;
        let position = ChangePosition {
            sequence,
            correction: corrections,
        };
        assert_eq!(last.position, position, "{what}");
        if is_shown {
            assert_eq!((last.kind, last.event_id), (None, None));
            assert_eq!(
                (last.circle_id, last.document),
                (id, rig.world.document(id))
            );
            assert_eq!(last.version, Version::new(2).ok());
        }
    }
    assert_eq!(peek.send::<String>("GET", &[&document]).await, stored);
}

/// A circle that the log does not know is removed.
pub(crate) async fn what_never_was_is_removed(engine: Engine) {
    let (mut rig, ..) = with_some(engine).await;
    let before = content(&rig.peek().await).await;
    let known = rig.world.clone();
    let ghost = rig.world.create("ghost", 20);
    let mut batch = rig.world.batch();
    batch.checkpoint = known.checkpoint;
    let standing = rig.standing().await;
    // As no projector would.
    batch.entries.clear();
    let outcome = rig.partition().apply(&standing, &batch).await;
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    rig.world = known;
    let repair = Repair {
        id: ghost,
        version: None,
        document: None,
        created: Sequence::ZERO,
        history: Vec::new(),
        parked: None,
    };
    let done = rig
        .partition()
        .repair(&standing, &[repair], RepairMode::Repair)
        .await
        .unwrap();
    assert!(matches!(done, Repaired::Done { changed, .. } if changed == [ghost]));
    assert_eq!(content(&rig.peek().await).await, before);
}

pub(crate) async fn a_repair_keeps_a_circle_parked(engine: Engine) {
    let (rig, chess, _) = with_some(engine).await;
    let standing = rig.standing().await;
    let event = ParkedEvent {
        sequence: Sequence::new(3),
        version: Version::new(2).unwrap(),
        reason: "it can't be read".to_owned(),
    };
    let mut repair = rig.world.repair(chess);
    repair.parked = Some(event.clone());
    let repairs = [repair];
    let done = rig
        .partition()
        .repair(&standing, &repairs, RepairMode::Repair)
        .await
        .unwrap();
    let Repaired::Done { standing, changed } = done else {
        panic!("superseded")
    };
    assert_eq!(changed, [chess]);
    assert_eq!(rig.parked().await, [(chess, event)]);
    let again = rig
        .partition()
        .repair(&standing, &repairs, RepairMode::Repair)
        .await
        .unwrap();
    let changed = Vec::new();
    assert_eq!(again, Repaired::Done { standing, changed });
}

pub(crate) async fn only_the_expected_standing_lets_a_repair_in(engine: Engine) {
    let (mut rig, chess, _) = with_some(engine).await;
    let peek = rig.peek().await;
    let standing = rig.standing().await;
    rig.world.update(chess, None, Some(40));
    rig.catch_up().await;
    let () = peek.send("DEL", &[&format!("circle:{chess}")]).await;
    let before = content(&peek).await;
    let repairs = [rig.world.repair(chess)];
    for mode in [RepairMode::Compare, RepairMode::Repair] {
        let done = rig.partition().repair(&standing, &repairs, mode).await;
        assert_eq!(done, Ok(Repaired::Superseded));
        assert_eq!(content(&peek).await, before);
    }
    // A batch that was made before a repair does not go in after it.
    let standing = rig.standing().await;
    let mut world = rig.world.clone();
    world.update(chess, None, Some(50));
    let batch = world.batch();
    assert_eq!(all(&rig, RepairMode::Repair).await, [chess]);
    let outcome = rig.partition().apply(&standing, &batch).await;
    assert_eq!(outcome, Ok(Outcome::Superseded));
    for query in every_list(10) {
        assert_eq!(rig.walk(&query).await, rig.world.list(&query));
    }
}

/// A thousand entries of a thousand characters are compared and written.
pub(crate) async fn a_long_history_is_mended(engine: Engine) {
    let mut rig = shared(engine).await;
    let id = rig.world.create("chess", 20);
    let name = "部".repeat(99);
    for n in 0..2_500 {
        rig.world
            .update(id, Some(&format!("{name}{}", n % 10)), None);
    }
    rig.catch_up().await;
    let key = format!("circle:{id}:history");
    let () = rig.peek().await.send("LTRIM", &[&key, "0", "1200"]).await;
    assert_eq!(all(&rig, RepairMode::Repair).await, [id]);
    assert_eq!(all(&rig, RepairMode::Compare).await, []);
    let query = ListQuery::new(Order::Name, 10);
    assert_eq!(rig.walk(&query).await, rig.world.list(&query));
}

/// Where circles lie by their creation, others can lie too.
pub(crate) async fn every_stray_entry_is_found(engine: Engine) {
    let mut rig = shared(engine).await;
    for _ in 0..120 {
        rig.world.create("chess", 20);
    }
    rig.catch_up().await;
    let peek = rig.peek().await;
    // Before and behind each right entry, with any of which a page may end.
    for score in 1..=120 {
        let (before, behind) = (format!("00003stray{score}"), format!("99999stray{score}"));
        let score = score.to_string();
        let added = ["circles:by_create_time", &score, &before, &score, &behind];
        let () = peek.send("ZADD", &added).await;
    }
    for (mode, expected) in [
        (RepairMode::Compare, 240),
        (RepairMode::Repair, 240),
        (RepairMode::Compare, 0),
    ] {
        let mut from = Some(Sweep::BEGIN);
        let mut stray = 0;
        while let Some(place) = from {
            let swept = rig.partition().sweep(&place, mode).await.unwrap();
            stray += swept.stray;
            from = swept.next;
        }
        assert_eq!(stray, expected, "{mode:?}");
    }
    assert!(all(&rig, RepairMode::Compare).await.is_empty());
}
