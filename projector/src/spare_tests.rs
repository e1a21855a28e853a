//! What happens between the end of building and the switch, which nobody outside can time.

use test_support::mysql::Engine;
use test_support::on_every_engine;
use test_support::proxy::{Direction, Fault};
use test_support::redis::{self, RedisDatabase};
use tokio::time::timeout;

use super::*;
use crate::support::{PATIENCE, World};

on_every_engine!(
    a_log_that_lost_its_tail_is_not_switched_over,
    an_outage_of_the_log_is_waited_out_once_circles_are_gathered,
    a_switch_that_was_cut_off_is_not_in_the_way,
    what_others_wrote_meanwhile_is_not_switched_away,
);

const HOLDER: &str = "the rebuild";

fn place(world: &World, spare: &RedisDatabase) -> Place {
    Place {
        live: world.connection.clone(),
        database: u8::try_from(spare.number()).unwrap(),
        changes_kept: world.changes_kept,
        lease: Duration::from_secs(60),
    }
}

/// New read models with all of the log.
async fn built(world: &World, place: &Place) -> Box<Spare> {
    let store = world.store.clone();
    let mut spare = Spare::begin(store, place, HOLDER).await.unwrap();
    while !spare.step().await.unwrap().1 {}
    Box::new(spare)
}

/// Whether new read models, which are built now, are switched to.
async fn switches(world: &World, place: &Place, projector: &mut Projector) -> bool {
    let mut replaced = match projector.switch_to(built(world, place).await).await {
        Ok(replaced) => replaced,
        Err(SwitchError::Superseded) => return false,
        Err(error) => panic!("{error}"),
    };
    replaced.clear().await.unwrap();
    world.catch_up(projector).await;
    world.assert_consistent().await;
    true
}

async fn a_log_that_lost_its_tail_is_not_switched_over(engine: Engine) {
    let mut world = World::create(engine).await;
    let database = RedisDatabase::fresh(redis::Engine::Redis);
    let place = place(&world, &database);
    let mut projector = world.projector(10);
    world.crowd(50).await;
    // It ends before what is applied, and elsewhere than there.
    for (rewinds, others) in [(1, 0), (2, 20)] {
        world.catch_up(&mut projector).await;
        let spare = built(&world, &place).await;
        world.lose_tail(40).await;
        world.forgetful_writer();
        world.crowd(others).await;
        // Those that were built go back at once, those in use have to.
        let switched = projector.switch_to(spare).await;
        assert!(
            matches!(switched, Err(SwitchError::Superseded)),
            "{:?}",
            switched.err()
        );
        world.catch_up(&mut projector).await;
        assert_eq!(projector.counts().rewinds, rewinds);
        world.assert_consistent().await;
        assert!(switches(&world, &place, &mut projector).await);
        world.crowd(10).await;
    }
}

async fn a_switch_that_was_cut_off_is_not_in_the_way(engine: Engine) {
    let world = World::create(engine).await;
    let database = RedisDatabase::fresh(redis::Engine::Redis);
    let place = place(&world, &database);
    let mut projector = world.projector(10);
    world.crowd(50).await;
    world.catch_up(&mut projector).await;
    let spare = built(&world, &place).await;
    // The last thing before the switch that can fail.
    database.command(&["SET", "circles:lease", "another"]);
    let switched = projector.switch_to(spare).await;
    assert!(matches!(switched, Err(SwitchError::Superseded)));
    assert!(!database.command(&["GET", "circles:checkpoint"]).is_empty());
    // Such a lease runs out.
    database.command(&["DEL", "circles:lease"]);
    assert!(switches(&world, &place, &mut projector).await);
}

async fn what_others_wrote_meanwhile_is_not_switched_away(engine: Engine) {
    let world = World::spread(engine, 3).await;
    let database = RedisDatabase::fresh(redis::Engine::Redis);
    let place = place(&world, &database);
    let (mut paused, mut other) = (world.projector(10), world.projector(10));
    world.crowd(30).await;
    world.catch_up(&mut paused).await;
    let spare = built(&world, &place).await;
    world.crowd(10).await;
    world.catch_up(&mut other).await;
    // It believes that it still leads.
    assert!(matches!(
        paused.switch_to(spare).await,
        Err(SwitchError::Superseded)
    ));
    world.assert_consistent().await;
    assert!(switches(&world, &place, &mut other).await);
}

async fn an_outage_of_the_log_is_waited_out_once_circles_are_gathered(engine: Engine) {
    let world = World::create(engine).await;
    world.create_circles(1_000).await;
    let (way, log) = world.log_by_a_way().await;
    let database = RedisDatabase::fresh(redis::Engine::Redis);
    let place = place(&world, &database);
    let mut spare = Spare::begin(log, &place, HOLDER).await.unwrap();

    way.spoil(Direction::ToClient, Fault::Cut { after: 0 });
    assert!(
        spare.step().await.is_err(),
        "there is nothing yet to be kept"
    );
    way.heal();
    // Enough for all that is asked before, and too little for a page.
    way.spoil(Direction::ToClient, Fault::Cut { after: 20_000 });
    for _ in 0..3 {
        assert_eq!(spare.step().await.unwrap(), (0, false));
    }
    way.heal();
    let built = async {
        loop {
            let (events, is_end) = spare.step().await.unwrap();
            if is_end {
                break events;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, built).await.expect("it is built"), 1_000);
}
