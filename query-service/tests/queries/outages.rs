//! A read model that is not there, or not yet.

use std::time::{Duration, SystemTime};

use query_service::config::Config;
use test_support::redis::{Engine, RedisDatabase, RedisServer};
use tonic_health::pb::health_check_response::ServingStatus;
use uuid::Uuid;

use crate::failures::assert_unavailable;
use crate::service::{Client, Service, soon};
use crate::world::{ORDERS, World, batch_get, get, list};

/// One query of each kind is unavailable for this reason.
async fn is_unavailable(client: &mut Client, reason: &str) {
    let id = Uuid::now_v7().to_string();
    let mut others = [client.clone(), client.clone()];
    let [second, third] = &mut others;
    let (get, batch_get, list) = soon(async {
        tokio::join!(
            client.get_circle(get(&id)),
            second.batch_get_circles(batch_get([&id])),
            third.list_circles(list(ORDERS[0], 10)),
        )
    })
    .await;
    assert_unavailable(get, reason);
    assert_unavailable(batch_get, reason);
    assert_unavailable(list, reason);
}

/// Nothing is said of circles, rather than that there are none.
pub(crate) async fn a_read_model_that_is_not_built_is_unavailable(engine: Engine) {
    let redis = RedisDatabase::fresh(engine);
    let world = World::unbuilt(&redis.url()).await;
    let service = Service::start(Config::new(&redis.url()));
    service.serving().await;
    let mut client = service.client().await;
    is_unavailable(&mut client, "READ_MODEL_NOT_BUILT").await;

    world.build().await;
    let page = client.list_circles(list(ORDERS[0], 10)).await;
    assert_eq!(page.unwrap().into_inner(), Default::default());
}

pub(crate) async fn a_server_that_is_down_at_the_start_is_waited_for(engine: Engine) {
    let redis = RedisServer::start_with(engine, &["--appendfsync", "always"]);
    let mut world = World::unbuilt(redis.url()).await;
    world.build().await;
    let id = world.create("football", 20).await;
    redis.kill();
    let service = Service::start(Config::new(redis.url()));
    assert_eq!(service.health().await, ServingStatus::NotServing);
    let mut client = service.client().await;
    is_unavailable(&mut client, "READ_MODEL_UNAVAILABLE").await;
    assert_eq!(service.health().await, ServingStatus::NotServing);
    // One that is told to stop meanwhile does.
    Service::start(Config::new(redis.url()))
        .stop()
        .ended()
        .await;

    redis.restart();
    service.serving().await;
    let answer = soon(client.get_circle(get(&id))).await.unwrap();
    assert_eq!(answer.into_inner().circle, Some(world.circle(&id)));
}

pub(crate) async fn a_read_model_that_is_too_old_turns_the_health(engine: Engine) {
    let redis = RedisDatabase::fresh(engine);
    let world = World::unbuilt(&redis.url()).await;
    world.build().await;
    let mut config = Config::new(&redis.url());
    config.max_lag = Some(Duration::from_secs(2));
    let service = Service::start(config);
    let tell = |ago: u64| {
        let moment = SystemTime::now() - Duration::from_secs(ago);
        let moment = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        redis.command(&["SET", "circles:as_of", &moment.as_millis().to_string()]);
    };
    // Before it is told, and while it is too old.
    let mut client = service.client().await;
    soon(client.list_circles(list(ORDERS[0], 10)))
        .await
        .unwrap();
    assert_eq!(service.health().await, ServingStatus::NotServing);
    tell(3_600);
    assert_eq!(service.health().await, ServingStatus::NotServing);
    tell(0);
    service.turns(ServingStatus::Serving).await;
    // It grows older by itself, and answers all the same.
    service.turns(ServingStatus::NotServing).await;
    soon(client.list_circles(list(ORDERS[0], 10)))
        .await
        .unwrap();
    tell(0);
    service.turns(ServingStatus::Serving).await;
    service.stop().ended().await;
}

pub(crate) async fn all_goes_on_after_a_crash_of_the_server(engine: Engine) {
    let redis = RedisServer::start_with(engine, &["--appendfsync", "always"]);
    let mut world = World::unbuilt(redis.url()).await;
    world.build().await;
    let id = world.create("football", 20).await;
    let mut config = Config::new(redis.url());
    config.max_wait = Duration::from_secs(300);
    let service = Service::start(config);
    service.serving().await;
    let mut client = service.client().await;
    soon(client.get_circle(get(&id))).await.unwrap();

    redis.kill();
    is_unavailable(&mut client, "READ_MODEL_UNAVAILABLE").await;

    redis.restart();
    let answer = soon(async {
        loop {
            match client.get_circle(get(&id)).await {
                Ok(answer) => return answer.into_inner(),
                failed => assert_unavailable(failed, "READ_MODEL_UNAVAILABLE"),
            }
        }
    })
    .await;
    assert_eq!(answer.circle, Some(world.circle(&id)));
    // The server has forgotten the script, and the service hears of changes again.
    let page = soon(client.list_circles(list(ORDERS[0], 10))).await;
    assert_eq!(page.unwrap().into_inner().circles, [world.circle(&id)]);
    let mut waiting = get(&id);
    waiting.min_sequence = Some(2);
    let call = tokio::spawn({
        let mut client = client.clone();
        async move { client.get_circle(waiting).await }
    });
    world.connected().await;
    world.update(&id, "football", 30).await;
    let answer = soon(call).await.unwrap().unwrap().into_inner();
    assert_eq!(answer.circle, Some(world.circle(&id)));
}
