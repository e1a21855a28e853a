//! Requests are taken or refused, whatever they are.

use fuzz_support::grpc::{check_refused, messages};
use fuzz_support::texts;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::convert::*;
use super::proto;

const ID: &str = "01890000-0000-7000-8000-000000000001";

fn ids() -> impl Strategy<Value = String> {
    texts([ID, "01890000-0000-7000-8000-00000000000f", ""])
}

fn list_requests() -> impl Strategy<Value = proto::ListParkedRequest> {
    let sound = proto::ListParkedRequest {
        page_size: 10,
        page_token: ID.to_owned(),
    };
    let sizes = prop_oneof![-1..1_002_i32, any::<i32>()];
    let fields = (sizes, ids()).prop_map(|(page_size, page_token)| proto::ListParkedRequest {
        page_size,
        page_token,
    });
    messages([sound], fields)
}

fn rebuild_requests() -> impl Strategy<Value = proto::RebuildCircleRequest> {
    let of = |circle_id| proto::RebuildCircleRequest { circle_id };
    messages([of(ID.to_owned())], ids().prop_map(of))
}

fn retry_requests() -> impl Strategy<Value = proto::RetryParkedRequest> {
    let of = |circle_id| proto::RetryParkedRequest { circle_id };
    messages([of(ID.to_owned())], ids().prop_map(of))
}

fn audit_requests() -> impl Strategy<Value = proto::AuditRequest> {
    let of = |circle_ids| proto::AuditRequest {
        repair: true,
        circle_ids,
    };
    let many = select(vec![1_000, 1_001]).prop_map(|ids| vec![ID.to_owned(); ids]);
    let fields = prop_oneof![20 => vec(ids(), 0..30), 1 => many].prop_map(of);
    messages([of(vec![ID.to_owned(); 2])], fields)
}

proptest! {
    #[test]
    fn lists_of_parked_circles_survive_any_bytes(request in list_requests()) {
        match parked_page(&request) {
            Ok(ParkedPage { size, after }) => {
                prop_assert!((1..=1_000).contains(&size));
                prop_assert!(request.page_size == 0 || usize::try_from(request.page_size) == Ok(size));
                let token = after.map(|id| id.to_string()).unwrap_or_default();
                prop_assert_eq!(token, request.page_token);
            }
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn rebuilds_of_circles_survive_any_bytes(request in rebuild_requests()) {
        match circle(&request) {
            Ok(id) => prop_assert_eq!(id.to_string(), request.circle_id),
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn retries_of_parked_circles_survive_any_bytes(request in retry_requests()) {
        match parked_circle(&request) {
            Ok(id) => {
                let id = id.map(|id| id.to_string()).unwrap_or_default();
                prop_assert_eq!(id, request.circle_id);
            }
            Err(status) => check_refused(&status, 20)?,
        }
    }

    #[test]
    fn audits_survive_any_bytes(request in audit_requests()) {
        match audited_circles(&request) {
            Ok(ids) => {
                prop_assert!(ids.len() <= 1_000);
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                prop_assert_eq!(ids, request.circle_ids);
            }
            Err(status) => check_refused(&status, 20)?,
        }
    }
}
