//! Requests and page tokens are taken or refused, whatever they are.

use std::collections::BTreeSet;
use std::fmt::Debug;

use circles_proto::circles::v1::get_circle_as_of_request::Moment as Given;
use circles_proto::circles::v1::{CircleFilter, CircleOrder};
use fuzz_support::grpc::{check_refused, messages};
use fuzz_support::{bytes, texts};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;
use prost_types::Timestamp;
use read_model::{ListQuery, Order, Position};
use shared_domain::{CircleId, Version};
use tonic::Request;

use super::*;

const ID: &str = "01890000-0000-7000-8000-000000000001";

fn id() -> CircleId {
    CircleId::parse(ID).unwrap()
}

fn ids() -> impl Strategy<Value = String> {
    texts([ID, ID, "01890000-0000-7000-8000-00000000000f", ""])
}

fn sequences() -> impl Strategy<Value = Option<i64>> {
    option::of(prop_oneof![0..10_i64, any::<i64>()])
}

fn orders() -> impl Strategy<Value = i32> {
    prop_oneof![8 => -1..8_i32, 1 => any::<i32>()]
}

fn sizes() -> impl Strategy<Value = i32> {
    prop_oneof![8 => -1..1_002_i32, 1 => any::<i32>()]
}

fn filters() -> impl Strategy<Value = CircleFilter> {
    let bound = || option::of(prop_oneof![0..40_i32, any::<i32>()]);
    (texts(["", "tea ", "将棋", "cafe\u{301}"]), bound(), bound()).prop_map(
        |(name_prefix, min_capacity, max_capacity)| CircleFilter {
            name_prefix,
            min_capacity,
            max_capacity,
        },
    )
}

/// Lists, the one of the requests below among them.
fn lists() -> [ListQuery; 3] {
    [
        ListQuery::new(Order::Name, 50),
        ListQuery {
            name_prefix: "tea ".to_owned(),
            min_capacity: Some(3),
            ..ListQuery::new(Order::Capacity, 50).descending()
        },
        ListQuery {
            max_capacity: Some(-1),
            ..ListQuery::new(Order::CreateTime, 50)
        },
    ]
}

fn positions() -> [Position; 3] {
    [
        format!("nchess\0{ID}"),
        format!("c00020\0将棋\0{ID}"),
        "t7".to_owned(),
    ]
    .map(|position| Position::from_bytes(position.as_bytes()).unwrap())
}

/// Good tokens, and their JSON put back into Base64 after some damage: most that is changed in the text makes no JSON.
fn page_tokens() -> impl Strategy<Value = String> {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let lists = lists().into_iter().zip(positions());
    let mut tokens: Vec<String> = lists
        .map(|(list, position)| page_token::encode(&list, &position))
        .collect();
    tokens.push(page_token::encode_history(id(), false, Version::FIRST));
    let json: Vec<Vec<u8>> = tokens
        .iter()
        .map(|token| BASE64_URL_SAFE_NO_PAD.decode(token).unwrap())
        .collect();
    prop_oneof![
        texts(tokens),
        bytes(json).prop_map(|json| BASE64_URL_SAFE_NO_PAD.encode(json)),
    ]
}

fn requests<M: Message + Debug + Default + Clone + 'static>(
    samples: Vec<M>,
    fields: impl Strategy<Value = M> + 'static,
) -> impl Strategy<Value = Request<M>> {
    messages(samples, fields).prop_map(Request::new)
}

fn get_requests() -> impl Strategy<Value = Request<GetCircleRequest>> {
    let sound = GetCircleRequest {
        circle_id: ID.to_owned(),
        min_sequence: Some(7),
    };
    let fields = (ids(), sequences()).prop_map(|(circle_id, min_sequence)| GetCircleRequest {
        circle_id,
        min_sequence,
    });
    requests(vec![sound], fields)
}

fn batch_requests() -> impl Strategy<Value = Request<BatchGetCirclesRequest>> {
    let of = |ids: usize| BatchGetCirclesRequest {
        circle_ids: vec![ID.to_owned(); ids],
        min_sequence: Some(7),
    };
    let few = (vec(ids(), 0..30), sequences()).prop_map(|(circle_ids, min_sequence)| {
        BatchGetCirclesRequest {
            circle_ids,
            min_sequence,
        }
    });
    let many = select(vec![of(0), of(1_000), of(1_001)]);
    requests(vec![of(2), of(0)], prop_oneof![20 => few, 1 => many])
}

fn list_requests() -> impl Strategy<Value = Request<ListCirclesRequest>> {
    let [list, filtered, ..] = lists();
    let [position, other, _] = positions();
    let sound = [
        ListCirclesRequest {
            page_token: page_token::encode(&list, &position),
            ..ListCirclesRequest::default()
        },
        ListCirclesRequest {
            page_size: 10,
            page_token: page_token::encode(&filtered, &other),
            order_by: CircleOrder::CapacityDesc.into(),
            filter: Some(CircleFilter {
                name_prefix: "tea ".to_owned(),
                min_capacity: Some(3),
                max_capacity: None,
            }),
            min_sequence: Some(7),
        },
    ];
    let tokens = prop_oneof![Just(String::new()), page_tokens()];
    let fields = (
        sizes(),
        tokens,
        orders(),
        option::of(filters()),
        sequences(),
    )
        .prop_map(|(page_size, page_token, order_by, filter, min_sequence)| {
            ListCirclesRequest {
                page_size,
                page_token,
                order_by,
                filter,
                min_sequence,
            }
        });
    requests(sound.to_vec(), fields)
}

fn history_requests() -> impl Strategy<Value = Request<GetCircleHistoryRequest>> {
    let sound = GetCircleHistoryRequest {
        circle_id: ID.to_owned(),
        page_size: 10,
        page_token: page_token::encode_history(id(), true, Version::FIRST),
        descending: true,
        min_sequence: Some(7),
    };
    let tokens = prop_oneof![Just(String::new()), page_tokens()];
    let fields = (ids(), sizes(), tokens, any::<bool>(), sequences()).prop_map(
        |(circle_id, page_size, page_token, descending, min_sequence)| GetCircleHistoryRequest {
            circle_id,
            page_size,
            page_token,
            descending,
            min_sequence,
        },
    );
    requests(vec![sound], fields)
}

fn as_of_requests() -> impl Strategy<Value = Request<GetCircleAsOfRequest>> {
    let of = |moment| GetCircleAsOfRequest {
        circle_id: ID.to_owned(),
        moment: Some(moment),
        min_sequence: Some(7),
    };
    let time = Timestamp {
        seconds: 1_764_000_000,
        nanos: 123,
    };
    let moments = prop_oneof![
        prop_oneof![-1..9_i32, any::<i32>()].prop_map(Given::Version),
        (any::<i64>(), prop_oneof![-1..9_i32, any::<i32>()])
            .prop_map(|(seconds, nanos)| Given::Time(Timestamp { seconds, nanos })),
    ];
    let fields =
        (ids(), option::of(moments), sequences()).prop_map(|(circle_id, moment, min_sequence)| {
            GetCircleAsOfRequest {
                circle_id,
                moment,
                min_sequence,
            }
        });
    requests(vec![of(Given::Version(3)), of(Given::Time(time))], fields)
}

fn watch_requests() -> impl Strategy<Value = Request<WatchCirclesRequest>> {
    let sound = WatchCirclesRequest {
        from_sequence: Some(7),
        circle_ids: vec![ID.to_owned()],
    };
    let fields = (sequences(), vec(ids(), 0..30)).prop_map(|(from_sequence, circle_ids)| {
        WatchCirclesRequest {
            from_sequence,
            circle_ids,
        }
    });
    requests(vec![sound], fields)
}

proptest! {
    #[test]
    fn get_requests_survive_any_bytes(request in get_requests()) {
        match convert::get(&request) {
            Ok((id, _)) => prop_assert_eq!(id.to_string(), request.into_inner().circle_id),
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn batch_get_requests_survive_any_bytes(request in batch_requests()) {
        match convert::batch_get(&request) {
            Ok((ids, _)) => {
                let asked = request.into_inner().circle_ids;
                prop_assert!((1..=1_000).contains(&asked.len()));
                let found: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
                prop_assert_eq!(found.len(), ids.len());
                let asked: BTreeSet<String> = asked.into_iter().collect();
                prop_assert_eq!(found, asked);
            }
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn list_requests_survive_any_bytes(request in list_requests()) {
        match convert::list(&request) {
            Ok((query, _)) => {
                prop_assert!((1..=1_000).contains(&query.limit));
                prop_assert!(query.after.as_ref().is_none_or(|after| after.order() == query.order));
                let bounds = query.min_capacity.zip(query.max_capacity);
                prop_assert!(bounds.is_none_or(|(least, most)| least <= most));
            }
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn history_requests_survive_any_bytes(request in history_requests()) {
        match convert::history(&request) {
            Ok((id, query, _)) => {
                prop_assert!((1..=1_000).contains(&query.limit));
                prop_assert_eq!(id.to_string(), request.get_ref().circle_id.clone());
                prop_assert_eq!(query.after.is_none(), request.get_ref().page_token.is_empty());
            }
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn as_of_requests_survive_any_bytes(request in as_of_requests()) {
        match convert::as_of(&request) {
            Ok((id, ..)) => prop_assert_eq!(id.to_string(), request.into_inner().circle_id),
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn watch_requests_survive_any_bytes(request in watch_requests()) {
        match convert::watch(&request) {
            Ok((from, ids)) => {
                prop_assert_eq!(from.is_some(), request.get_ref().from_sequence.is_some());
                prop_assert_eq!(ids.is_empty(), request.get_ref().circle_ids.is_empty());
            }
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn page_tokens_survive_any_bytes(list in select(lists().to_vec()), token in page_tokens()) {
        if let Ok(position) = page_token::decode(&list, &token) {
            prop_assert_eq!(position.order(), list.order);
            let written = page_token::encode(&list, &position);
            prop_assert_eq!(page_token::decode(&list, &written), Ok(position));
        }
        if let Ok(version) = page_token::decode_history(id(), false, &token) {
            let written = page_token::encode_history(id(), false, version);
            prop_assert_eq!(page_token::decode_history(id(), false, &written), Ok(version));
        }
    }
}
