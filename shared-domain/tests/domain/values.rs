//! Capacities, versions, sequences, and what comes with an event.

use serde_json::{Value, from_value, json, to_value};
use shared_domain::{
    Capacity, EventId, InvalidCapacity, InvalidVersion, Metadata, Sequence, Version,
};

use crate::examples::{capacity, version};

#[test]
fn a_capacity_is_3_to_32767() {
    assert_eq!(capacity(3), Capacity::MIN);
    assert_eq!(capacity(20).get(), 20);
    assert_eq!(capacity(32_767), Capacity::MAX);
    for given in [2, 0, -1, 32_768, 65_539, i64::MIN, i64::MAX] {
        assert_eq!(Capacity::new(given), Err(InvalidCapacity { given }));
    }
    assert_eq!(
        InvalidCapacity { given: 2 }.to_string(),
        "a capacity is a whole number from 3 to 32767, not 2",
    );
}

#[test]
fn a_version_is_1_to_the_end_of_the_column() {
    assert_eq!(version(1), Version::FIRST);
    assert_eq!(version(i64::from(i32::MAX)).get(), i32::MAX);
    for given in [0, -1, i64::from(i32::MAX) + 1, 1 << 32, i64::MIN, i64::MAX] {
        assert_eq!(Version::new(given), Err(InvalidVersion { given }));
    }
}

#[test]
fn versions_follow_each_other_up_to_the_last() {
    assert_eq!(Version::FIRST.next(), Some(version(2)));
    assert_eq!(version(i64::from(i32::MAX)).next(), None);
    assert!(version(2) < version(10));
    assert_eq!(version(10).to_string(), "10");
}

#[test]
fn sequences_follow_each_other() {
    assert_eq!(Sequence::default(), Sequence::ZERO);
    assert_eq!(Sequence::ZERO.next(), Sequence::new(1));
    assert_eq!(Sequence::new(7).next().get(), 8);
    assert_eq!(Sequence::new(u64::MAX).next(), Sequence::new(u64::MAX));
    assert_eq!(Sequence::new(7).to_string(), "7");
    assert!(Sequence::new(2) < Sequence::new(10));
}

#[test]
fn numbers_are_json_numbers_under_the_same_rules() {
    assert_eq!(to_value(capacity(20)).unwrap(), json!(20));
    assert_eq!(to_value(version(2)).unwrap(), json!(2));
    assert_eq!(to_value(Sequence::new(7)).unwrap(), json!(7));
    assert_eq!(from_value::<Capacity>(json!(20)).unwrap(), capacity(20));
    assert_eq!(from_value::<Version>(json!(2)).unwrap(), version(2));
    assert_eq!(from_value::<Sequence>(json!(7)).unwrap(), Sequence::new(7));
    for bad in [json!(-1), json!(2.5), json!(20.0), json!("20"), Value::Null] {
        assert!(from_value::<Capacity>(bad.clone()).is_err(), "{bad}");
        assert!(from_value::<Version>(bad.clone()).is_err(), "{bad}");
        assert!(from_value::<Sequence>(bad.clone()).is_err(), "{bad}");
    }
    assert!(from_value::<Capacity>(json!(2)).is_err());
    assert!(from_value::<Capacity>(json!(u64::MAX)).is_err());
    assert!(from_value::<Version>(json!(0)).is_err());
}

#[test]
fn metadata_leaves_out_what_is_not_known() {
    assert_eq!(to_value(Metadata::default()).unwrap(), json!({}));
    let request = "0190a6e4-5c1b-7def-8a90-b1c2d3e4f506";
    let metadata = Metadata {
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        actor: Some("registrar".to_owned()),
        request_id: Some(EventId::parse(request).unwrap()),
    };
    let value = json!({
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "actor": "registrar",
        "request_id": request,
    });
    assert_eq!(to_value(&metadata).unwrap(), value);
    assert_eq!(from_value::<Metadata>(value).unwrap(), metadata);
}

#[test]
fn metadata_passes_over_what_a_newer_writer_added() {
    let metadata = from_value::<Metadata>(json!({"actor": "registrar", "tenant": 7})).unwrap();
    assert_eq!(metadata.actor.as_deref(), Some("registrar"));
    assert!(from_value::<Metadata>(json!({"request_id": "7"})).is_err());
}
