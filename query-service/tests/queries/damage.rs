//! What is stored wrongly.

use fred::interfaces::{ClientLike as _, KeysInterface as _};
use fred::types::Builder;
use fred::types::config::Config;
use test_support::redis::Engine;
use tonic::{Code, Status};

use crate::failures::why;
use crate::service::soon;
use crate::world::{ORDERS, batch_get, get, list, shown};

pub(crate) async fn damage_is_an_internal_error_that_tells_nothing(engine: Engine) {
    let mut shown = shown(engine).await;
    let football = shown.world.create("football", 20).await;
    let tennis = shown.world.create("tennis", 4).await;
    let client = &mut shown.client;
    let key = format!("circle:{football}");
    for text in ["secret", "{}", "null"] {
        store(&shown.redis.url(), &key, text).await;
        let answer = soon(client.get_circle(get(&football))).await;
        assert_internal(&answer.unwrap_err());
        let both = batch_get([&tennis, &football]);
        let answer = soon(client.batch_get_circles(both)).await;
        assert_internal(&answer.unwrap_err());
        // Others are not touched by it.
        let answer = soon(client.get_circle(get(&tennis))).await.unwrap();
        assert_eq!(
            answer.into_inner().circle,
            Some(shown.world.circle(&tennis))
        );
    }
    for index in ["by_name", "by_capacity", "by_create_time"] {
        let key = format!("circles:{index}");
        shown.redis.command(&["ZADD", &key, "0", "secret"]);
    }
    for order in ORDERS {
        let answer = soon(client.list_circles(list(order, 10))).await;
        assert_internal(&answer.unwrap_err());
    }
    store(&shown.redis.url(), "circles:checkpoint", "secret").await;
    let answer = soon(client.get_circle(get(&tennis))).await;
    assert_internal(&answer.unwrap_err());
    // Waiting does not cure it.
    let mut waiting = get(&tennis);
    waiting.min_sequence = Some(9);
    let answer = soon(client.get_circle(waiting)).await;
    assert_internal(&answer.unwrap_err());
}

fn assert_internal(status: &Status) {
    assert_eq!(why(status), (Code::Internal, "INTERNAL".to_owned()));
    assert_eq!(status.message(), "internal error");
    let told = format!("{status:?}");
    assert!(
        !told.contains("secret") && !told.contains("circle:"),
        "{told}"
    );
    let details = String::from_utf8_lossy(status.details());
    assert!(
        !details.contains("secret") && !details.contains("circle:"),
        "{details}"
    );
}

/// Writes behind everybody's back.
async fn store(url: &str, key: &str, text: &str) {
    let config = Config::from_url(url).unwrap();
    let client = Builder::from_config(config).build().unwrap();
    client.init().await.unwrap();
    let () = client.set(key, text, None, None, false).await.unwrap();
    client.quit().await.unwrap();
}
