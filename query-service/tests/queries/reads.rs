//! Circles by their ids.

use circles_proto::circles::v1::{BatchGetCirclesResponse, GetCircleResponse};
use test_support::redis::Engine;
use tonic::Code;
use uuid::Uuid;

use crate::failures::why;
use crate::world::{batch_get, get, shown};

pub(crate) async fn a_circle_is_read_as_it_is_now(engine: Engine) {
    let mut shown = shown(engine).await;
    let world = &mut shown.world;
    let id = world.create("football", 20).await;
    world.create("tennis", 4).await;
    let football = GetCircleResponse {
        circle: Some(world.circle(&id)),
        sequence: 2,
    };
    let answer = shown.client.get_circle(get(&id)).await.unwrap();
    assert_eq!(answer.into_inner(), football);

    world.update(&id, "茶道 \"\\ 🎾", 32_767).await;
    let renamed = GetCircleResponse {
        circle: Some(world.circle(&id)),
        sequence: 3,
    };
    let answer = shown.client.get_circle(get(&id)).await.unwrap();
    assert_eq!(answer.into_inner(), renamed);

    let missing = (Code::NotFound, "CIRCLE_NOT_FOUND".to_owned());
    let nobody = Uuid::now_v7().to_string();
    let answer = shown.client.get_circle(get(&nobody)).await;
    assert_eq!(why(&answer.unwrap_err()), missing);
    world.delete(&id).await;
    let answer = shown.client.get_circle(get(&id)).await;
    assert_eq!(why(&answer.unwrap_err()), missing);
}

pub(crate) async fn a_batch_is_answered_in_the_order_of_its_ids(engine: Engine) {
    let mut shown = shown(engine).await;
    let world = &mut shown.world;
    let mut ids = Vec::new();
    for name in ["football", "tennis", "chess", "go"] {
        ids.push(world.create(name, 20).await);
    }
    let [football, tennis, chess, go] = &ids[..] else {
        panic!("{ids:?}")
    };
    world.delete(chess).await;
    let nobody = Uuid::now_v7().to_string();

    let asked = [go, &nobody, football, go, chess, tennis, &nobody, football];
    let answer = shown.client.batch_get_circles(batch_get(asked)).await;
    let expected = BatchGetCirclesResponse {
        circles: [go, football, tennis].map(|id| world.circle(id)).to_vec(),
        missing_circle_ids: vec![nobody.clone(), chess.clone()],
        sequence: 5,
    };
    assert_eq!(answer.unwrap().into_inner(), expected);

    let answer = shown.client.batch_get_circles(batch_get([&nobody])).await;
    let nothing = BatchGetCirclesResponse {
        missing_circle_ids: vec![nobody],
        sequence: 5,
        ..BatchGetCirclesResponse::default()
    };
    assert_eq!(answer.unwrap().into_inner(), nothing);
}

pub(crate) async fn a_thousand_circles_are_read_at_once(engine: Engine) {
    let mut shown = shown(engine).await;
    let there = shown.world.create("football", 20).await;
    let mut ids: Vec<_> = (1..1_000).map(|_| Uuid::now_v7().to_string()).collect();
    let missing = ids.clone();
    ids.push(there.clone());
    let answer = shown.client.batch_get_circles(batch_get(ids)).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.circles, [shown.world.circle(&there)]);
    assert_eq!(answer.missing_circle_ids, missing);
}
